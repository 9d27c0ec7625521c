/*
 * Pub/sub through the ring: two workers, no replicator.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { LIMIT, until } from './lib/await.mjs';
import { Client } from './lib/client.mjs';
import { startStack } from './lib/stack.mjs';


let stack;

before(async () => {
    stack = await startStack({ postgres: false, workers: 2 });
});

after(() => stack?.stop());


/*
 * Connects clients until each worker holds at least `least` of them, which
 * the workers' own descriptors prove; gives the clients, each with its
 * worker's pid.
 */
async function spread(t, least) {
    const workers = stack.nginx.workers();
    const clients = [];
    const counts = () => workers.map((pid) => stack.nginx.connections(pid));

    assert.equal(workers.length, 2);
    await until(() => counts().every((n) => n == 0),
                'the connections of earlier tests are closed');

    for (let i = 0; i < 200 && counts().some((n) => n < least); i++) {
        const before = counts();
        const c = await Client.connect(stack.base, { name: `client ${i}` });
        const now = await until(() => {
            const n = counts();

            return n[0] + n[1] == i + 1 && n;
        }, 'a worker holds the connection');

        t.after(() => c.ws.terminate());
        c.worker = workers[now[0] > before[0] ? 0 : 1];
        clients.push(c);
    }

    assert.ok(counts().every((n) => n >= least), `${counts()}`);
    return clients;
}


function ofOtherWorker(clients, c) {
    return clients.find((x) => x.worker != c.worker);
}


test('a message crosses from each worker to the other', async (t) => {
    const clients = await spread(t, 1);
    const a = clients[0], b = ofOtherWorker(clients, a);

    await a.join('cross');
    await b.join('cross');

    a.push('cross', 'e', { body: 'from a' });
    assert.deepEqual(await b.event('cross', 'e'), { body: 'from a' });
    assert.deepEqual(await a.event('cross', 'e'), { body: 'from a' });

    b.push('cross', 'e', { body: 'from b' });
    assert.deepEqual(await a.event('cross', 'e'), { body: 'from b' });
    assert.deepEqual(await b.event('cross', 'e'), { body: 'from b' });
});


test('the same bytes reach both workers', async (t) => {
    const clients = await spread(t, 1);
    const a = clients[0], b = ofOtherWorker(clients, a);
    const payload = '{"body":{ "n":1e400,"\\u0061":"😀"}}';
    const frame = `[null,null,"bytes","é",${payload}]`;

    await a.join('bytes');
    await b.join('bytes');
    a.send(`["${a.joins.bytes}",null,"bytes","é",${payload}]`);

    assert.equal(await a.text(), frame);
    assert.equal(await b.text(), frame);
});


test('large messages cross', async (t) => {
    const clients = await spread(t, 1);
    const a = clients[0], b = ofOtherWorker(clients, a);

    await b.join('large');
    await a.join('large');

    for (const size of [4000, 4096, 32000, 60000]) {
        const body = 'x'.repeat(size);

        a.push('large', 'e', { body });
        assert.equal((await b.event('large', 'e')).body, body);
    }
});


test('many senders at once: each member gets all, once, in order',
     async (t) => {
    const clients = await spread(t, 10);
    const senders = [clients[0], ofOtherWorker(clients, clients[0]),
                     ...clients.slice(-4)];
    const each = 300;

    await Promise.all(clients.map((c) => c.join('storm')));

    for (let n = 0; n < each; n++) {
        senders.forEach((c, sender) => {
            c.send([c.joins.storm, null, 'storm', 'e',
                    { body: { sender, n } }]);
        });
    }

    await Promise.all(clients.map(async (c) => {
        const next = senders.map(() => 0);

        for (let i = 0; i < senders.length * each; i++) {
            const { body } = await c.event('storm', 'e', 'a message',
                                           3 * LIMIT);

            assert.equal(body.n, next[body.sender],
                         `${c.name}, sender ${body.sender}`);
            next[body.sender]++;
        }

        assert.deepEqual(await c.pending(), [], `${c.name} got too much`);
    }));
});


test('topics are separate, and who has left hears nothing', async (t) => {
    const clients = await spread(t, 2);
    const a = clients[0], b = ofOtherWorker(clients, a);
    const c = clients.find((x) => x != a && x != b);

    await a.join('left');
    await a.join('right');
    await b.join('right');
    await c.join('left');
    await b.join('left');
    assert.equal((await b.call('left', 'phx_leave')).status, 'ok');
    await b.event('left', 'phx_close');

    a.push('left', 'e', { body: 1 });
    a.push('right', 'e', { body: 2 });
    assert.deepEqual(await c.event('left', 'e'), { body: 1 });

    /* what went before it through the ring is there when this one is */
    assert.deepEqual(await b.event('right', 'e'), { body: 2 });
    assert.deepEqual(await b.pending(), []);
    assert.deepEqual(await c.pending(), []);
});


test('two zones never hear each other', async (t) => {
    const other = await startStack({
        postgres: false, workers: 1, http: 'kairos_zone other 8m;',
        server: 'location /elsewhere { kairos other; }' });

    t.after(() => other.stop());

    const a = await Client.connect(other.base);
    const b = await Client.connect(`ws://127.0.0.1:${other.port}/elsewhere`);
    const c = await Client.connect(other.base);

    await a.join('same');
    await b.join('same');
    await c.join('same');
    a.push('same', 'e', { body: 1 });
    assert.deepEqual(await c.event('same', 'e'), { body: 1 });
    assert.deepEqual(await b.pending(), []);

    for (const x of [a, b, c]) {
        await x.close();
    }
});
