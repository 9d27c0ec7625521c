/*
 * Sockets over TLS, whose buffers and goodbyes are nginx's own.
 */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { LIMIT, until, within } from './lib/await.mjs';
import { Client } from './lib/client.mjs';
import { connectionsOf, freePort } from './lib/processes.mjs';
import { startStack } from './lib/stack.mjs';


let dir, port, stack;

before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'kairos-tls-'));

    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes',
                             '-keyout', join(dir, 'key'), '-out',
                             join(dir, 'cert'), '-days', '2', '-subj',
                             '/CN=localhost'], { stdio: 'pipe' });

    port = await freePort();
    stack = await startStack({ postgres: false, workers: 1, directives: `
        kairos_drain 200ms;
        kairos_queue_size 1m;`, server: `
        listen 127.0.0.1:${port} ssl;
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
