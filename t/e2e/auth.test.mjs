/*
 * Tokens in a socket's life: the SDK and phoenix.js with one, its end, its
 * renewal, and what the logs and the replicator hear of it; and broadcasts
 * over HTTP.
 */

import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import WebSocket from 'ws';

import './lib/browser.mjs';
import { NexusRT } from '@nexusrt/kairos';
import { Socket } from 'phoenix';

import { Inbox, within } from './lib/await.mjs';
import { Client } from './lib/client.mjs';
import { startStack } from './lib/stack.mjs';


const OLD = 'the old secret of the tests, with 32 bytes or more';
const NEW = 'the new secret of the tests, with 32 bytes or more';

const dir = mkdtempSync(join(tmpdir(), 'kairos-auth-'));
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' });

let stack;

before(async () => {
    for (const [name, pair] of [['rsa', rsa], ['curve', curve]]) {
        writeFileSync(join(dir, name),
                      pair.publicKey.export({ type: 'spki', format: 'pem' }));
    }

    writeFileSync(join(dir, 'secret'), OLD);
    writeFileSync(join(dir, 'next'), OLD);

    stack = await startStack({
        postgres: false,
        directives: `kairos_auth on; kairos_auth_secret '${NEW}' '${OLD}';
                     kairos_auth_cookie kairos; kairos_push on;`,
        server: `
            access_log access.log;

            location /rsa {
                kairos live; kairos_auth on;
                kairos_auth_algorithm RS256;
                kairos_auth_key ${dir}/rsa;
            }

            location /curve {
                kairos live; kairos_auth on;
                kairos_auth_algorithm ES256;
                kairos_auth_key ${dir}/curve;
                kairos_auth_secret '${NEW}';
            }`,
    });
});

after(async () => {
    rmSync(dir, { recursive: true, force: true });
    await stack?.stop();
});


const encode = (x) => Buffer.from(JSON.stringify(x)).toString('base64url');
const now = () => Math.floor(Date.now() / 1000);

function unsigned(alg, claims) {
    return `${encode({ alg, typ: 'JWT' })}.`
           + encode({ sub: 'u1', exp: now() + 60, ...claims });
}

function token(claims = {}, secret = NEW) {
    const text = unsigned('HS256', claims);

    return `${text}.`
           + createHmac('sha256', secret).update(text).digest('base64url');
}

function signed(alg, { privateKey }, claims = {}) {
    const text = unsigned(alg, claims);
    const key = { key: privateKey, dsaEncoding: 'ieee-p1363' };

    return `${text}.`
           + sign('sha256', Buffer.from(text), key).toString('base64url');
}

function claimsOf(text) {
    return JSON.parse(Buffer.from(text.split('.')[1], 'base64url'));
}

function at(path) {
    return `ws://127.0.0.1:${stack.port}/${path}`;
}

async function connect(t, text, base = stack.base) {
    const client = await Client.connect(base,
                                        { query: `vsn=2.0.0&token=${text}` });

    t.after(() => client.close());
    return client;
}

function refused(promise) {
    return assert.rejects(promise, /Unexpected server response: 403/);
}

async function exchange(path, text) {
    const res = await fetch(`${stack.httpBase}/${path}/auth`, {
        method: 'POST', headers: { Authorization: `Bearer ${text}` } });

    return { status: res.status, body: await res.json() };
}


describe('the SDK', () => {
    test('exchanges its token, connects, and works', async (t) => {
        const nexus = await NexusRT.create(stack.base, token(),
                                           { userid: 'u1' });
        const heard = new Inbox('hello');

        t.after(() => nexus.disconnect());
        nexus.connect();
        await within(nexus.useUserChannel('lobby', {}), 'the join');

        nexus.on('hello', (payload) => heard.put(payload));
        nexus.emit('hello', { body: 1 });
        assert.deepEqual(await heard.take(), { body: 1 });
    });

    test('is told when its token is no good', async () => {
        await assert.rejects(NexusRT.create(stack.base, 'nonsense', {}));
        await assert.rejects(NexusRT.create(stack.base, undefined, {}));
    });

    test('has a token that outlives the first for 30 days', async () => {
        const { status, body } = await exchange('realtime', token());
        const claims = claimsOf(body.token);

        assert.equal(status, 200);
        assert.equal(body.ok, true);
        assert.deepEqual(claims, body.claims);
        assert.equal(claims.device, 'nexus');
        assert.equal(claims.sub, 'u1');
        assert.equal(claims.exp - claims.iat, 30 * 24 * 3600);
    });
});


describe('phoenix.js 1.8', () => {
    test('gives its token as authToken', async (t) => {
        const socket = new Socket(stack.base, { transport: WebSocket,
                                                authToken: token() });
        const opened = new Promise((resolve) => socket.onOpen(resolve));

        t.after(() => new Promise((resolve) => socket.disconnect(resolve)));
        socket.connect();
        await within(opened, 'the socket is open');
    });

    test('is refused with a bad one', async (t) => {
        const socket = new Socket(stack.base, {
            transport: WebSocket, authToken: token({}, 'another secret'),
            reconnectAfterMs: () => 60000 });
        const failed = new Promise((resolve) => socket.onError(resolve));

        t.after(() => new Promise((resolve) => socket.disconnect(resolve)));
        socket.connect();
        await within(failed, 'the socket is refused');
    });
});


describe('where a token may be', () => {
    test('in a cookie', async (t) => {
        const client = await Client.connect(stack.base, {
            headers: { Cookie: `kairos=${token()}` } });

        t.after(() => client.close());
        await client.join('room');
    });

    test('nowhere', async () => {
        await refused(Client.connect(stack.base));
    });
});


describe('keys', () => {
    test('the old secret is taken during a rotation, the new one signs',
         async (t) => {
        await connect(t, token({}, OLD));

        const { body } = await exchange('realtime', token({}, OLD));
        const [head, payload, signature] = body.token.split('.');

        assert.equal(signature, createHmac('sha256', NEW)
                     .update(`${head}.${payload}`).digest('base64url'));
    });

    test('RS256 without a secret: the token itself is the connection\'s',
         async (t) => {
        const text = signed('RS256', rsa);

        await connect(t, text, at('rsa'));

        const { status, body } = await exchange('rsa', text);

        assert.equal(status, 200);
        assert.deepEqual(body, { ok: true, token: text,
                                 claims: claimsOf(text) });
    });

    test('RS256: neither another key nor the public one as a secret',
         async () => {
        const pem = readFileSync(join(dir, 'rsa'));

        await refused(Client.connect(at('rsa'), {
            query: `token=${token({}, pem)}` }));
        await refused(Client.connect(at('rsa'), {
            query: `token=${signed('RS256', generateKeyPairSync('rsa', {
                modulusLength: 2048 }))}` }));
    });

    test('ES256 with a secret: connection tokens are signed with it',
         async (t) => {
        const { body } = await exchange('curve', signed('ES256', curve));

        assert.equal(claimsOf(body.token).device, 'nexus');
        await connect(t, body.token, at('curve'));
        await connect(t, signed('ES256', curve), at('curve'));

        /* but nobody else's */
        await refused(Client.connect(at('curve'), {
            query: `token=${token()}` }));
    });
});


test('a rotation, from its first reload to its last', async (t) => {
    const file = join(dir, 'secret'), next = join(dir, 'next');
    const own = await startStack({ postgres: false, workers: 1,
        directives: `kairos_auth on; kairos_drain 50ms;
                     kairos_auth_secret file:${file} file:${next};` });

    t.after(() => own.stop());

    const takes = async (secret) => {
        const res = await fetch(`${own.httpBase}/realtime/auth`, {
            method: 'POST',
            headers: { Authorization: `Bearer ${token({}, secret)}` } });
        const { token: text } = await res.json();

        return [res.status, text ? signedWith(text) : null];
    };

    const signedWith = (text) => {
        const [head, payload, signature] = text.split('.');

        return [OLD, NEW].find((secret) => signature
            == createHmac('sha256', secret).update(`${head}.${payload}`)
               .digest('base64url'));
    };

    const rotate = async (first, second) => {
        writeFileSync(file, first);
        writeFileSync(next, second);
        await own.nginx.reload();
    };

    const client = await Client.connect(own.base, {
        query: `vsn=2.0.0&token=${token({}, OLD)}` });

    t.after(() => client.ws.terminate());
    assert.deepEqual(await takes(OLD), [200, OLD]);
    assert.deepEqual(await takes(NEW), [401, null]);

    await rotate(NEW, OLD);
    assert.equal((await within(client.closed, 'the goodbye')).code, 1012);
    assert.deepEqual(await takes(OLD), [200, NEW]);
    assert.deepEqual(await takes(NEW), [200, NEW]);

    /* a socket may go on with a token of the other secret */
    const other = await Client.connect(own.base, {
        query: `vsn=2.0.0&token=${token({}, OLD)}` });

    t.after(() => other.ws.terminate());
    await other.join('room');
    assert.equal((await other.call('room', 'access_token', {
        access_token: token({}, NEW) })).status, 'ok');

    await rotate(NEW, NEW);
    assert.deepEqual(await takes(OLD), [401, null]);
    await refused(Client.connect(own.base, {
        query: `vsn=2.0.0&token=${token({}, OLD)}` }));
    assert.deepEqual(await takes(NEW), [200, NEW]);
});


describe('the end of a token', () => {
    test('is told on each channel, and closes the socket', async (t) => {
        const client = await connect(t, token({ exp: now() + 2 }));

        await client.join('a');
        await client.join('b');

        for (const topic of ['a', 'b']) {
            assert.deepEqual(await client.event(topic, 'phx_error'),
                             { reason: 'the token has expired' });
        }

        assert.deepEqual(await within(client.closed, 'the close'),
                         { code: 1008, reason: 'the token has expired' });
    });

    test('is put off by a new one', async (t) => {
        const client = await connect(t, token({ exp: now() + 2 }));

        await client.join('a');
        assert.deepEqual(await client.call('a', 'access_token', {
            access_token: token() }), { status: 'ok', response: {} });

        /* the other socket ends when this one would have */

        const other = await connect(t, token({ exp: now() + 3 }));

        await within(other.closed, 'the close of the other');
        assert.deepEqual(await client.pending(), []);
    });

    test('comes sooner with one that ends sooner', async (t) => {
        const client = await connect(t, token());

        await client.join('a');
        await client.call('a', 'access_token', {
            access_token: token({ exp: now() + 2 }) });
        assert.equal((await within(client.closed, 'the close')).code, 1008);
    });

    test('is not put off by a bad one', async (t) => {
        const client = await connect(t, token());

        await client.join('a');

        for (const [payload, reason] of [
            [{ access_token: token({ sub: 'u2' }) },
             'the token has another sub than the first one'],
            [{ access_token: token({}, 'another secret') },
             'the token\'s signature is wrong'],
            [{ access_token: token({ exp: now() - 1 }) },
             'the token has expired'],
            [{ access_token: 7 },
             'the payload must have an "access_token", a string'],
            [{ access_token: 'x'.repeat(9000) }, 'the token is too long'],
            [[], 'the payload must have an "access_token", a string'],
        ]) {
            assert.deepEqual(await client.call('a', 'access_token', payload),
                             { status: 'error', response: { reason } });
        }

        assert.equal((await client.call('b', 'access_token', {}, 'x')).status,
                     'error');
        assert.deepEqual(await client.pending(), []);
    });

    test('no member ever sees a renewal', async (t) => {
        const a = await connect(t, token()), b = await connect(t, token());

        await a.join('room');
        await b.join('room');
        await a.call('room', 'access_token', { access_token: token(),
                                               body: 1 });
        await a.call('room', 'after', { body: 1 });
        assert.match(await b.text(), /"after"/);
    });
});


describe('POST', () => {
    function post(body, headers = {}) {
        return fetch(`${stack.httpBase}/realtime`, {
            method: 'POST', body,
            headers: { 'Content-Type': 'application/json',
                       Authorization: `Bearer ${token()}`, ...headers } });
    }

    test('reaches all members in all workers, byte for byte', async (t) => {
        const clients = await Promise.all(Array.from({ length: 8 }, () => {
            return connect(t, token());
        }));

        await Promise.all(clients.map((client) => client.join('room:p')));

        const res = await post('[{"topic":"room:p","event":"one",'
                               + '"body":{"n": 1.50, "n":2}},'
                               + '{"body":null,"event":"tw\\u00f6",'
                               + '"topic":"room:p","more":1}]');

        assert.equal(res.status, 200);
        assert.deepEqual(await res.json(), { ok: true, sent: 2 });

        for (const client of clients) {
            assert.equal(await client.text(), '[null,null,"room:p","one",'
                                              + '{"body":{"n": 1.50, "n":2}}]');
            assert.equal(await client.text(),
                         '[null,null,"room:p","twö",{"body":null}]');
        }
    });

    test('sends nothing if one message is bad', async (t) => {
        const client = await connect(t, token());

        await client.join('room:q');

        const res = await post('[{"topic":"room:q","event":"e","body":1},'
                               + '{"topic":"room:q","event":"phx_reply",'
                               + '"body":1}]');

        assert.equal(res.status, 400);
        assert.deepEqual(await client.pending(), []);
    });

    test('needs a token', async () => {
        const res = await post('[]', { Authorization: '' });

        assert.equal(res.status, 401);
        assert.deepEqual(await res.json(), { error: 'Unauthorized' });
    });
});


test('no token is in the logs', async (t) => {
    await connect(t, token());
    await refused(Client.connect(stack.base, {
        query: `token=${token({ exp: 1 })}` }));

    const access = readFileSync(join(stack.dir, 'access.log'), 'utf8');

    assert.match(access, /GET \/realtime\/websocket\?vsn=2\.0\.0&token=\*+ /);
    assert.doesNotMatch(access, /eyJ/);
    assert.match(stack.nginx.errorLog(), /request: "GET \S+\?token=\*+ HTTP/);

    if (!process.env.KAIROS_LOG) {
        assert.doesNotMatch(stack.nginx.errorLog(), /eyJ/);
    }
});
