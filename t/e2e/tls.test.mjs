/*
 * Sockets over TLS, whose buffers and goodbyes are nginx's own.
 */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import http2 from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { LIMIT, once, until, within } from './lib/await.mjs';
import { Client } from './lib/client.mjs';
import { connectionsOf, freePort } from './lib/processes.mjs';
import { startStack } from './lib/stack.mjs';


let both, dir, port, stack;

before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'kairos-tls-'));

    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes',
                             '-keyout', join(dir, 'key'), '-out',
                             join(dir, 'cert'), '-days', '2', '-subj',
                             '/CN=localhost'], { stdio: 'pipe' });

    port = await freePort();
    both = await freePort();
    stack = await startStack({ postgres: false, workers: 1, directives: `
        kairos_drain 200ms;
        kairos_push on;
        kairos_queue_size 1m;`, server: `
        listen 127.0.0.1:${port} ssl;
        listen 127.0.0.1:${both} ssl http2;
        ssl_certificate ${dir}/cert;
        ssl_certificate_key ${dir}/key;` });
});

after(async () => {
    try {
        await stack?.stop();

    } finally {
        rmSync(dir, { recursive: true, force: true });
    }
});


async function client(t, options) {
    const c = await Client.connect(`wss://127.0.0.1:${port}/realtime`,
                                   { rejectUnauthorized: false, ...options });

    t.after(() => c.ws.terminate());
    return c;
}


for (const maxVersion of ['TLSv1.2', 'TLSv1.3']) {
    test(`${maxVersion}: messages of all sizes pass`, async (t) => {
        const [a, b] = [await client(t, { maxVersion }),
                        await client(t, { maxVersion })];

        await a.join('sizes');
        await b.join('sizes');

        for (const n of [1, 100, 16000, 16384, 16385, 70000, 1000000]) {
            const body = 'x'.repeat(n);

            a.push('sizes', 'e', { body });
            assert.equal((await b.event('sizes', 'e')).body.length, n);
        }
    });
}


test('a burst arrives whole and in order, beside a socket without TLS',
     async (t) => {
    const plain = await Client.connect(stack.base);
    const members = await Promise.all([1, 2, 3].map(() => client(t)));

    t.after(() => plain.ws.terminate());

    for (const c of [plain, ...members]) {
        await c.join('burst');
    }

    for (let i = 0; i < 1000; i++) {
        plain.send([plain.joins.burst, null, 'burst', 'e',
                    { body: { i, x: 'x'.repeat(i % 300) } }]);
    }

    for (const c of [plain, ...members]) {
        for (let i = 0; i < 1000; i++) {
            assert.equal((await c.event('burst', 'e')).body.i, i);
        }
    }
});


test('who stops reading is closed; who goes on reading gets all',
     async (t) => {
    const [a, b, slow] = [await client(t), await client(t), await client(t)];
    const worker = stack.nginx.workers()[0];
    const body = 'x'.repeat(50000);
    const open = () => connectionsOf(worker, port);

    for (const c of [a, b, slow]) {
        await c.join('flood');
    }

    const before = open();

    slow.ws.pause();

    for (let i = 0; i < 400; i++) {
        a.send([a.joins.flood, null, 'flood', 'e', { body: { i, body } }]);
        assert.equal((await b.event('flood', 'e')).body.i, i);
        await a.event('flood', 'e');
    }

    await until(() => open() == before - 1, 'the slow client is closed',
                2 * LIMIT);
    assert.deepEqual(await b.pending(), []);
});


describe('a port that speaks HTTP/2 too', () => {
    /* {status, headers, body} of a request over HTTP/2 */
    async function ask(t, headers, body) {
        const session = http2.connect(`https://127.0.0.1:${both}`,
                                      { rejectUnauthorized: false });

        t.after(() => session.destroy());

        const stream = session.request(headers);

        stream.setEncoding('utf8');
        stream.end(body);

        const [answer] = await once(stream, 'response');
        let text = '';

        stream.on('data', (part) => { text += part; });
        await once(stream, 'end');

        return { status: answer[':status'], headers: answer, body: text };
    }

    const own = () => `https://127.0.0.1:${both}`;

    test('takes POSTs by it, of its own pages', async (t) => {
        const c = await Client.connect(`wss://127.0.0.1:${both}/realtime`,
                                       { rejectUnauthorized: false,
                                         origin: own() });

        t.after(() => c.ws.terminate());
        await c.join('room');

        const auth = await ask(t, { ':method': 'POST', origin: own(),
                                    ':path': '/realtime/auth' });

        assert.deepEqual([auth.status, auth.body], [200, '{"ok":true}']);
        assert.equal(auth.headers['access-control-allow-origin'], own());

        const sent = await ask(t, { ':method': 'POST', ':path': '/realtime',
                                    'content-type': 'application/json' },
                               '{"topic":"room","event":"e","body":2}');

        assert.deepEqual([sent.status, sent.body],
                         [200, '{"ok":true,"sent":1}']);
        assert.deepEqual(await c.event('room', 'e'), { body: 2 });

        const other = await ask(t, { ':method': 'POST',
                                     ':path': '/realtime/auth',
                                     'origin': 'https://evil.example.com' });

        assert.equal(other.status, 403);
    });

    test('opens no socket by it', async (t) => {
        const no = await ask(t, { ':method': 'GET',
                                  ':path': '/realtime/websocket?vsn=2.0.0' });

        assert.deepEqual([no.status, no.body],
                         [400, 'a WebSocket needs HTTP/1.1\n']);
    });
});


test('a close is answered with its code, and the connection ends',
     async (t) => {
    const c = await client(t);

    assert.equal((await c.close(4000)).code, 4000);
});


test('a reload says 1012, a bad message 1011', async (t) => {
    const [a, b] = [await client(t), await client(t)];

    b.send('nonsense');
    assert.equal((await within(b.closed, 'the close')).code, 1011);
    await stack.nginx.reload();
    assert.equal((await within(a.closed, 'the close')).code, 1012);
});


test('a fast stop says 1001', async (t) => {
    const clients = await Promise.all(Array.from({ length: 10 },
                                                 () => client(t)));

    for (const c of clients) {
        await c.join('end');
    }

    await stack.nginx.stop('SIGTERM');

    for (const c of clients) {
        assert.equal((await within(c.closed, 'the close')).code, 1001);
    }
});
