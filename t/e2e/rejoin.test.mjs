/*
 * phoenix.js joins a route again after a lost connection, without a
 * subscribe: who was lost gets what it missed, who was not is refused.
 */

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { connect as dial, createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import './lib/browser.mjs';
import { NexusRT } from '@nexusrt/kairos';

import { Inbox, once, until, within } from './lib/await.mjs';
import { Client, subscription } from './lib/client.mjs';
import { startStack } from './lib/stack.mjs';


const NOTES = `
    create table notes (id bigint primary key, owner int, text text);
    alter table notes replica identity full;`;

let stack;

before(async () => {
    stack = await startStack({ workers: 2, setup: NOTES });
});

after(() => stack?.stop());


function connect(t, agent, base = stack.base) {
    return Client.connect(base, { name: agent,
                                  headers: { 'User-Agent': agent } })
        .then((c) => {
            t.after(() => c.ws.terminate());
            return c;
        });
}


/* A member of the route of this owner's notes: the client and the topic. */
async function member(t, agent, owner, base = stack.base) {
    const c = await connect(t, agent, base);

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


test('a newer token of the same sub is the same client, another is not',
     async (t) => {
    const secret = 'a secret of the tests, with 32 bytes or more';
    const own = await startStack({ workers: 2, setup: NOTES, directives:
        `kairos_auth on; kairos_auth_secret '${secret}';` });
    const part = (x) => Buffer.from(JSON.stringify(x)).toString('base64url');
    let exp = Math.floor(Date.now() / 1000) + 60;

    t.after(() => own.stop());

    /* of each token the exp is another */
    const open = async (claims) => {
        const text = `${part({ alg: 'HS256' })}.`
                     + part({ ...claims, exp: exp++ });
        const mac = createHmac('sha256', secret).update(text);
        const c = await Client.connect(own.base, {
            query: `vsn=2.0.0&token=${text}.${mac.digest('base64url')}` });

        t.after(() => c.ws.terminate());
        return c;
    };

    const subscribe = async (c, owner) => {
        await c.join('user');

        const { response } = await c.call('user', 'subscribe',
            subscription('notes', 'owner', owner));

        await c.join(response.route_topics[0]);
        return response.route_topics[0];
    };

    for (const [owner, sub] of [[1, 'u1'], [2, undefined]]) {
        const c = await open({ sub }), other = await open({ sub: 'other' });
        const topic = await subscribe(c, owner);

        await subscribe(other, owner);
        await lose(c);
        await own.sql(`insert into notes values (${owner}, ${owner},`
                      + " 'missed')");
        await other.event(topic, 'rows');

        const stranger = await open({ sub: 'u2' }), back = await open({ sub });

        await assert.rejects(stranger.join(topic), /subscribe again/);

        if (sub) {
            await back.join(topic);
            assert.equal((await back.event(topic, 'rows')).rows[0].text,
                         'missed');
            continue;
        }

        /* without a sub nobody can say that it is the same */
        await assert.rejects(back.join(topic), /subscribe again/);
    }
});


/*
 * A cable to a port that can be cut and mended: what runs over it ends without
 * a goodbye, and nobody comes through until then.
 */
class Cable {
    static async open(t, port) {
        const cable = new Cable();

        cable.sockets = new Set();
        cable.whole = true;
        cable.server = createServer((near) => {
            if (!cable.whole) {
                near.destroy();
                return;
            }

            const far = dial(port, '127.0.0.1');

            for (const [from, to] of [[near, far], [far, near]]) {
                cable.sockets.add(from);
                from.on('error', () => {});
                from.on('close', () => to.destroy());
                from.pipe(to);
            }
        });

        cable.server.listen(0, '127.0.0.1');
        await once(cable.server, 'listening');
        cable.port = cable.server.address().port;

        t.after(() => {
            cable.cut();
            cable.server.close();
        });

        return cable;
    }

    cut() {
        this.whole = false;

        for (const socket of this.sockets) {
            socket.destroy();
        }
    }

    mend() {
        this.whole = true;
    }
}


test('the SDK on a cable that is cut gets what it missed', async (t) => {
    const cable = await Cable.open(t, stack.port);
    const other = await member(t, 'desk', 6);
    const nexus = await NexusRT.create(
        `ws://127.0.0.1:${cable.port}/realtime`, undefined, { userid: 'u' });
    const heard = new Inbox('the rows');

    t.after(() => nexus.disconnect());
    nexus.connect();
    nexus.on('rows', ({ rows }) => rows.forEach((row) => heard.put(row)));
    await within(nexus.useUserChannel('user', {}), 'the join');
    await within(nexus.select('*').from('notes').subscribeAndJoinRoutes({
        table: 'notes', tableField: 'owner', equality: 'eq', event: 'rows',
        pk: 'id', fieldValue: '6' }), 'the join of the route');

    await stack.sql(`insert into notes values (60, 6, 'seen')`);
    assert.equal((await heard.take()).text, 'seen');

    for (const round of [61, 62]) {
        cable.cut();
        await stack.sql(`insert into notes values (${round}, 6, 'missed')`);
        await stack.sql(`update notes set text = 'also' where id = ${round}`);
        await until(async () => {
            const { rows } = await other.c.event(other.topic, 'rows');

            return rows.some((row) => row.text == 'also');
        }, 'the others have it');
        cable.mend();

        /* it may get some twice, the last word is the last */
        const row = await heard.find((one) => one.id == round
                                              && one.text == 'also');

        assert.equal(row.owner, 6);
    }

    await stack.sql(`delete from notes where id = 60`);
    await heard.find((row) => row.id == 60 && row.database_op == 'delete');
});


test('who stays away for longer than the grace is refused, with a reason',
     async (t) => {
    const short = await startStack({ workers: 1, setup: NOTES,
                                     env: { KAIROS_ROUTE_GRACE: '1s' } });

    t.after(() => short.stop());

    /* one was the last of its route, of the other route one is left */
    const alone = await member(t, 'phone', 1, short.base);
    const one = await member(t, 'phone', 2, short.base);

    await member(t, 'desk', 2, short.base);
    await lose(alone.c);
    await lose(one.c);
    await delay(2500);

    const back = await connect(t, 'phone', short.base);

    for (const { topic } of [alone, one]) {
        await assert.rejects(back.join(topic), /subscribe again/);
    }

    /* and that is what it can do */
    await back.join('user');

    const reply = await back.call('user', 'subscribe',
                                  subscription('notes', 'owner', 1));

    await back.join(reply.response.route_topics[0]);
    await short.sql(`insert into notes values (1, 1, 'new')`);
    assert.equal((await back.event(alone.topic, 'rows')).rows[0].id, 1);
});
