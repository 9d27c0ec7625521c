/*
 * The ring at its bounds: a worker that is overtaken, and more generations of
 * workers than the zone has places for.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { LIMIT, until } from './lib/await.mjs';
import { Client } from './lib/client.mjs';
import { startStack } from './lib/stack.mjs';


test('a worker that was overtaken tells its clients, and goes on',
     async (t) => {
    const stack = await startStack({
        postgres: false, workers: 2, http: 'kairos_zone small 256k;',
        server: 'location /small { kairos small; }' });
    const base = `ws://127.0.0.1:${stack.port}/small`;
    const workers = stack.nginx.workers();
    const counts = () => workers.map((pid) => stack.nginx.connections(pid));
    const clients = [];

    t.after(() => stack.stop());

    /* one in each worker at least */
    for (let i = 0; i < 100 && counts().some((n) => n == 0); i++) {
        const before = counts();
        const c = await Client.connect(base, { name: `client ${i}` });
        const now = await until(() => {
            const n = counts();

            return n[0] + n[1] == i + 1 && n;
        }, 'a worker holds the connection');

        t.after(() => c.ws.terminate());
        c.worker = workers[now[0] > before[0] ? 0 : 1];
        clients.push(c);
    }

    const a = clients[0], b = clients.find((c) => c.worker != a.worker);

    await a.join('room');
    await b.join('room');
    process.kill(b.worker, 'SIGSTOP');

    try {
        for (let i = 0; i < 200; i++) {
            a.push('room', 'e', { body: { i, x: 'x'.repeat(4000) } });
            assert.equal((await a.event('room', 'e')).body.i, i);
        }

    } finally {
        process.kill(b.worker, 'SIGCONT');
    }

    /* it got nothing, or the beginning, and never a hole */
    const { reason } = await b.event('room', 'phx_error');

    assert.match(reason, /lost, join again/);
    assert.match(stack.nginx.errorLog(), /\[warn\].*lost \d+ bytes/);

    const got = b.inbox.items.map((text) => JSON.parse(text)[4].body?.i);

    assert.deepEqual(got, got.map((_, i) => i));

    await b.join('room');
    a.push('room', 'after', { body: 1 });
    assert.deepEqual(await b.event('room', 'after'), { body: 1 });

    const errors = a.inbox.items.filter((text) => /phx_error/.test(text));

    assert.deepEqual(errors, []);
});


test('more workers than the zone has places for hear each other',
     async (t) => {
    const stack = await startStack({ postgres: false, workers: 1,
                                     directives: 'kairos_drain 10h;' });
    const clients = [];

    t.after(() => stack.stop());

    /* 32 places: a client holds each worker that a reload replaces */
    for (let i = 0; i < 34; i++) {
        const c = await Client.connect(stack.base, { name: `client ${i}` });

        t.after(() => c.ws.terminate());
        await c.join('room');
        clients.push(c);
        await stack.nginx.reload();
    }

    assert.match(stack.nginx.errorLog(),
                 /\[warn\].*all 32 places for workers in kairos_zone "live"/);

    for (const sender of [clients[0], clients[33]]) {
        sender.push('room', 'e', { body: sender.name });

        for (const c of clients) {
            assert.deepEqual(await c.event('room', 'e', 'a message',
                                           3 * LIMIT),
                             { body: sender.name });
        }
    }
});
