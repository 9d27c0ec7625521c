/*
 * Many connections at once, with queries, some of them cut off in the middle
 * of something; again over a reload, and when nginx is stopped.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { until } from '../e2e/lib/await.mjs';
import { Client, subscription } from '../e2e/lib/client.mjs';
import { Raw } from '../e2e/lib/raw.mjs';
import { startStack } from '../e2e/lib/stack.mjs';


const MANY = 120;


let stack;

before(async () => {
    stack = await startStack({
        directives: 'kairos_drain 500ms;',
        setup: `create table posts (id int primary key, room int);
                alter table posts replica identity full`,
    });
});

after(() => stack?.stop());


/* Joined to a room and, each other one, to the route of a query. */
async function arrive(i) {
    const c = await Client.connect(stack.base, { name: `client ${i}` });

    await c.join(`room:${i % 10}`);

    if (i % 2) {
        const { status, response } = await c.call(
            `room:${i % 10}`, 'subscribe',
            subscription('posts', 'room', i % 10));

        assert.equal(status, 'ok', JSON.stringify(response));
        c.route = response.route_topics[0];
        await c.join(c.route);
    }

    return c;
}


function storm(from) {
    return Promise.all(Array.from({ length: MANY },
                                  (_, i) => arrive(from + i)));
}


/* Whoever asks a thing and is gone, and who is cut off within a frame. */
async function depart(clients) {
    for (const [i, c] of clients.entries()) {
        if (i % 3 == 0) {
            c.push(`room:${i % 10}`, 'subscribe',
                   subscription('posts', 'room', i));
        }

        c.ws.terminate();
    }

    for (const bytes of ['\x81', '\x81\xfe\x01', '\x01\x85\0\0\0\0["1']) {
        const raw = await Raw.open(stack.port);

        raw.send(Buffer.from(bytes, 'latin1'));
        raw.tcp.end();
        await raw.ended;
    }
}


test('come and go', async () => {
    const clients = await storm(0);

    clients[0].push('room:0', 'hello', { body: 'x'.repeat(70000) });
    await clients[10].event('room:0', 'hello');

    await stack.sql('insert into posts select i, i % 10'
                    + ' from generate_series(1, 100) i');
    assert.equal((await clients[1].event(clients[1].route, 'rows')).rows[0]
                 .database_op, 'insert');

    await depart(clients);
    await until(() => stack.nginx.workers().every(
                    (pid) => stack.nginx.connections(pid) == 0),
                'nobody is connected');
});


test('stay over a reload', async () => {
    const clients = await storm(1000);
    const codes = Promise.all(clients.map((c) => c.closed));

    await stack.nginx.reload();

    for (const { code } of await codes) {
        assert.equal(code, 1012);
    }

    await stack.connected();

    const again = await storm(2000);

    await stack.sql('update posts set room = room + 1');
    await again[1].event(again[1].route, 'rows');
    await depart(again.slice(MANY / 2));
});
