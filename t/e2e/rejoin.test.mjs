/*
 * phoenix.js joins a route again after a lost connection, without a
 * subscribe: who was lost gets what it missed, who was not is refused.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { until } from './lib/await.mjs';
import { Client, subscription } from './lib/client.mjs';
import { startStack } from './lib/stack.mjs';


let stack;

before(async () => {
    stack = await startStack({ workers: 2, setup: `
        create table notes (id bigint primary key, owner int, text text);
        alter table notes replica identity full;` });
});

after(() => stack?.stop());


function connect(t, agent) {
    return Client.connect(stack.base, { name: agent,
                                        headers: { 'User-Agent': agent } })
        .then((c) => {
            t.after(() => c.ws.terminate());
            return c;
        });
}


/* A member of the route of this owner's notes: the client and the topic. */
async function member(t, agent, owner) {
    const c = await connect(t, agent);

    await c.join('user');

    const reply = await c.call('user', 'subscribe',
                               subscription('notes', 'owner', owner));

    assert.equal(reply.status, 'ok');

    const [topic] = reply.response.route_topics;

    await c.join(topic);
    return { c, topic };
}


/* Lost without a close frame; over when the others see it. */
async function lose(c) {
    c.ws.terminate();
    await c.closed;
}


test('who was lost gets what it missed', async (t) => {
    const { c, topic } = await member(t, 'phone', 1);
    const other = await member(t, 'desk', 1);

    await lose(c);
    await stack.sql(`insert into notes values (1, 1, 'missed')`);
    await other.c.event(topic, 'rows');

    const back = await connect(t, 'phone');

    await back.join(topic);

    const { rows } = await back.event(topic, 'rows');

    assert.deepEqual(rows, [{ id: 1, owner: 1, text: 'missed',
                              database_op: 'insert' }]);

    await stack.sql(`delete from notes where id = 1`);
    assert.equal((await back.event(topic, 'rows')).rows[0].database_op,
                 'delete');
});


test('who was not lost has to subscribe, though others were', async (t) => {
    const { c, topic } = await member(t, 'phone', 2);
    const other = await member(t, 'desk', 2);

    await lose(c);
    await stack.sql(`insert into notes values (2, 2, 'x')`);
    await other.c.event(topic, 'rows');

    const stranger = await connect(t, 'tablet');

    await assert.rejects(stranger.join(topic), /subscribe again/);

    /* nor does a refusal keep it from being served once it has */

    await stranger.join('user');

    const reply = await stranger.call('user', 'subscribe',
                                      subscription('notes', 'owner', 2));

    assert.deepEqual(reply.response.route_topics, [topic]);
    await stranger.join(topic);
});


test('who left of its own will is not lost', async (t) => {
    const { c, topic } = await member(t, 'phone', 3);

    assert.equal((await c.call(topic, 'phx_leave')).status, 'ok');

    const again = await connect(t, 'phone');

    await assert.rejects(again.join(topic), /subscribe again/);
});


test('who was lost after a restart of the replicator has to subscribe',
     async (t) => {
    const { c, topic } = await member(t, 'phone', 5);
    const other = await member(t, 'desk', 5);

    await stack.replicator.kill();
    await stack.replicator.start();

    /* nobody knows what its connection swallowed before */
    await lose(c);
    await stack.sql(`insert into notes values (5, 5, 'x')`);
    await other.c.event(topic, 'rows');

    const back = await connect(t, 'phone');

    await assert.rejects(back.join(topic), /subscribe again/);
});


test('all of a worker that died may come back', async (t) => {
    const { c, topic } = await member(t, 'phone', 4);
    const before = await stack.nginx.workers();

    for (const pid of before) {
        await stack.nginx.killWorker(pid);
    }

    await c.closed;
    await until(async () => (await stack.nginx.workers())
                            .every((pid) => !before.includes(pid)),
                'new workers run');

    const back = await until(() => Client.connect(stack.base,
        { name: 'phone', headers: { 'User-Agent': 'phone' } })
        .catch(() => null), 'a connection to a new worker');

    t.after(() => back.ws.terminate());

    await until(() => back.join(topic).then(() => true, () => false),
                'the join is taken');
    await stack.sql(`insert into notes values (4, 4, 'y')`);
    assert.equal((await back.event(topic, 'rows')).rows[0].id, 4);
});
