/*
 * What is killed, restarted or reloaded, and what clients see of it.
 */

import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';

import { Socket } from 'phoenix';
import WebSocket from 'ws';

import { Inbox, LIMIT, until, within } from './lib/await.mjs';
import { Client } from './lib/client.mjs';
import { Live } from './lib/live.mjs';
import { startStack } from './lib/stack.mjs';


const SELECT = 'select id, userid, content from posts';

let stack;
let user = 0;

before(async () => {
    stack = await startStack({ workers: 2,
                               directives: 'kairos_drain 300ms;', setup: `
        create table posts (id bigint primary key, userid int, content text);
        alter table posts replica identity full;` });
});

after(() => stack?.stop());

beforeEach(() => {
    user++;
});


function open(t, value = user, join = true) {
    return Live.open(stack.base, 'posts', 'userid', `${value}`,
                     { query: SELECT }, join).then((live) => {
        t.after(() => live.client.ws.terminate());
        return live;
    });
}


function insert(id, value = user) {
    return stack.sql('insert into posts values ($1, $2, $1::bigint::text)',
                     [id, value]);
}


/*
 * A page as phoenix.js makes one: comes back by itself, joins its topics
 * again, and does not subscribe again.
 */
class Page {
    static async open(t, table, value) {
        const page = new Page();

        page.events = new Inbox('a page');
        page.ids = new Set();
        page.opened = 0;
        page.socket = new Socket(stack.base, {
            transport: WebSocket, reconnectAfterMs: () => 50,
            rejoinAfterMs: () => 50 });
        page.socket.onOpen(() => page.opened++);
        page.socket.connect();
        t.after(() => page.socket.disconnect());

        page.own = page.socket.channel(`page:${value}`, {});
        await joined(page.own);

        const response = await within(new Promise((resolve, reject) => {
            page.own.push('subscribe', {
                topic: `${table}:userid`, userid: 'p', table_field: 'userid',
                field_value: `${value}`, equality: 'eq', query: SELECT,
                event: 'rows', pk: 'id', alias: null,
            }).receive('ok', resolve).receive('error', (response) => {
                reject(new Error(response.reason));
            });
        }), 'the reply to subscribe');

        page.route = page.socket.channel(response.route_topics[0], {});

        page.route.on('rows', ({ rows }) => {
            for (const row of rows) {
                page.events.put(row);
                page.ids.add(Number(row.id));
            }
        });

        await joined(page.route);
        return page;
    }

    has(ids) {
        return until(() => ids.every((id) => this.ids.has(id)),
                     () => `the page has all of ${ids.length} rows, `
                           + `there are ${this.ids.size}`, 3 * LIMIT, 50);
    }

    rejoined(times = 1) {
        return until(() => this.opened > times
                           && this.route.state == 'joined',
                     'the page has joined its route again', 3 * LIMIT);
    }
}


function joined(channel) {
    return within(new Promise((resolve, reject) => {
        channel.join().receive('ok', resolve).receive('error', (response) => {
            reject(new Error(response.reason));
        });
    }), `the join of ${channel.topic}`);
}


describe('the replicator', () => {
    for (const how of ['killed', 'stopped']) {
        test(`${how} and started: nothing is lost`, async (t) => {
            const lives = [await open(t), await open(t),
                           await open(t, user + 500)];

            await insert(user * 1000 + 1);

            if (how == 'killed') {
                await stack.replicator.kill();

            } else {
                await stack.replicator.stop();
            }

            for (let i = 2; i < 50; i++) {
                await insert(user * 1000 + i);
            }

            await insert(user * 1000 + 500, user + 500);
            await stack.replicator.start();
            await insert(user * 1000 + 50);

            for (const live of lives.slice(0, 2)) {
                await live.converges(`${SELECT} where userid = ${user}`,
                                     stack, 3 * LIMIT);
                assert.equal(live.rows.size, 50);
            }

            await lives[2].converges(`${SELECT} where userid = ${user + 500}`,
                                     stack, 3 * LIMIT);
        });
    }

    test('killed again and again under load: nothing is lost', async (t) => {
        const live = await open(t);
        let id = user * 1000;

        for (let i = 0; i < 5; i++) {
            const writer = (async () => {
                for (let n = 0; n < 150; n++) {
                    await insert(id++);
                }
            })();

            await live.next('an event', 3 * LIMIT);
            await stack.replicator.kill();
            await stack.replicator.start();
            await writer;
        }

        await live.converges(`${SELECT} where userid = ${user}`, stack,
                             3 * LIMIT);
        assert.equal(live.rows.size, 750);
    });

    test('away: a subscribe is refused, pub/sub goes on', async (t) => {
        const c = await Client.connect(stack.base);

        t.after(() => c.ws.terminate());
        await c.join('u');
        await stack.replicator.kill();

        const reply = await c.call('u', 'subscribe', {
            topic: 'posts:userid', userid: 'u', table_field: 'userid',
            field_value: '1', equality: 'eq', query: SELECT, event: 'rows',
            pk: 'id', alias: null });

        assert.equal(reply.status, 'error');
        assert.match(reply.response.reason, /not connected/);

        c.push('u', 'e', { body: 1 });
        assert.deepEqual(await c.event('u', 'e'), { body: 1 });

        await stack.replicator.start();

        const live = await open(t);

        await insert(user * 1000);
        await live.next('an event after the return', 3 * LIMIT);
    });
});


describe('PostgreSQL', () => {
    for (const mode of ['fast', 'immediate']) {
        test(`restarted (${mode}): events go on, none is lost`, async (t) => {
            const live = await open(t);

            for (let i = 0; i < 20; i++) {
                await insert(user * 1000 + i);
            }

            await stack.postgres.restart(mode);

            await until(() => insert(user * 1000 + 20).then(() => true,
                                                            () => false),
                        'PostgreSQL takes a row');
            await live.converges(`${SELECT} where userid = ${user}`, stack,
                                 6 * LIMIT);
            assert.equal(live.rows.size, 21);

            /* and the pool serves again */
            const other = await open(t);

            assert.equal(other.rows.size, 21);
        });
    }
});


describe('nginx', () => {
    test('reloaded: a page comes back and misses nothing', async (t) => {
        const page = await Page.open(t, 'posts', user);
        const ids = [];

        for (let i = 0; i < 40; i++) {
            ids.push(user * 1000 + i);
            await insert(ids.at(-1));

            if (i == 15) {
                await stack.nginx.reload();
            }
        }

        await page.rejoined();
        await page.has(ids);

        await insert(user * 1000 + 900);
        await page.has([user * 1000 + 900]);
    });

    test('a closing worker says 1012 or 1001', async (t) => {
        const c = await Client.connect(stack.base);

        t.after(() => c.ws.terminate());
        await stack.nginx.reload();

        const { code } = await within(c.closed, 'the close');

        assert.ok([1001, 1012].includes(code), `code ${code}`);
    });

    test('reloaded again and again under load', async (t) => {
        const sockets = Array.from({ length: 20 }, () => new Socket(
            stack.base, { transport: WebSocket, reconnectAfterMs: () => 20,
                          rejoinAfterMs: () => 20 }));
        const reached = new Set();
        let received = 0, stop = false;

        const channels = sockets.map((socket) => {
            socket.connect();
            t.after(() => socket.disconnect());

            const channel = socket.channel('storm', {});

            channel.on('e', () => received++);
            channel.on('last', () => reached.add(socket));
            channel.join();
            return channel;
        });

        await until(() => channels.every((ch) => ch.state == 'joined'),
                    'all have joined');

        const pusher = (async () => {
            while (!stop) {
                for (const ch of channels) {
                    if (ch.canPush()) {
                        ch.push('e', { body: 'x'.repeat(500) });
                    }
                }

                await new Promise((resolve) => setImmediate(resolve));
            }
        })();

        for (let i = 0; i < 8; i++) {
            const from = received;

            await until(() => received > from + 200, 'messages flow');
            await stack.nginx.reload();
        }

        await until(() => channels.every((ch) => ch.state == 'joined'),
                    'all have joined again', 3 * LIMIT);

        stop = true;
        await pusher;

        /*
         * Old workers may still send some away, and who is on the way misses
         * a message; who has joined for good does not miss the next.
         */
        await until(() => {
            channels[0].push('last', { body: 'last' });
            return reached.size == sockets.length;
        }, 'a last message reaches all', 3 * LIMIT);
    });

    test('one worker killed: its clients come back, the others stay',
         async (t) => {
        const pages = await Promise.all(Array.from(
            { length: 8 }, (_, i) => Page.open(t, 'posts', user + 700 + i)));

        const workers = stack.nginx.workers();
        const victim = workers.find((pid) => stack.nginx.connections(pid));
        const held = stack.nginx.connections(victim);

        assert.ok(held > 0);
        await stack.nginx.killWorker(victim);
        await until(() => pages.filter((p) => p.opened == 2).length == held,
                    'exactly the clients of that worker came back', 2 * LIMIT);
        await until(() => pages.every((p) => p.route.state == 'joined'),
                    'all have joined', 2 * LIMIT);

        const ids = pages.map((_, i) => user * 1000 + i);

        await Promise.all(ids.map((id, i) => insert(id, user + 700 + i)));
        await Promise.all(pages.map((page, i) => page.has([ids[i]])));
    });

    test('a worker that hangs: its feed is closed, its clients are told',
         async (t) => {
        /* a replicator that awaits a worker of a test before confirms no
           position; a new one awaits none */
        await stack.replicator.stop();
        await stack.replicator.start();

        const before = stack.nginx.workers().map(
            (pid) => stack.nginx.connections(pid));
        const live = await open(t);
        const worker = stack.nginx.workers().find(
            (pid, i) => stack.nginx.connections(pid) > before[i]);
        const query = `${SELECT} where userid = ${user}`;
        const { lost_feeds: lost, resets } = await stack.nginx.status();

        /* more than is queued for a worker, and than is kept of a route */
        process.kill(worker, 'SIGSTOP');

        try {
            await stack.sql(`
                insert into posts
                    select ${user * 1000} + i, ${user}, repeat('x', 1 << 20)
                    from generate_series(1, 80) i`);
            await until(() => /closed a worker.*more than 64 MB are queued/
                              .test(stack.replicator.output()),
                        'the replicator gives the worker up', 6 * LIMIT);

        } finally {
            process.kill(worker, 'SIGCONT');
        }

        const { reason } = await live.client.event(live.topic, 'phx_error',
                                                   'the reset', 3 * LIMIT);

        assert.match(reason, /subscribe again/);

        const after = await stack.nginx.status();

        assert.deepEqual([after.feeds, after.lost_feeds, after.resets],
                         [2, lost + 1, resets + 1]);

        /*
         * And so it has what there is, though a reply of 80 MB is refused.
         * A route cannot keep many of the large rows for a join, so none may
         * be on its way any more.
         */
        await stack.confirmed();
        await stack.sql('update posts set content = id where userid = $1',
                        [user]);
        assert.equal((await live.subscribe()).status, 'ok');
        await live.join();
        await insert(user * 1000 + 900);
        await live.converges(query, stack, 3 * LIMIT);
    });

    test('a worker killed while others broadcast: the ring works on',
         async (t) => {
        const clients = await Promise.all(Array.from(
            { length: 12 }, (_, i) => Client.connect(stack.base,
                                                     { name: `c${i}` })));

        for (const c of clients) {
            t.after(() => c.ws.terminate());
            await c.join('ring');
        }

        const victim = stack.nginx.workers()[0];
        let stop = false;

        const pushing = (async () => {
            while (!stop) {
                for (const c of clients) {
                    if (c.ws.readyState == WebSocket.OPEN) {
                        c.push('ring', 'e', { body: 'x'.repeat(3000) });
                    }
                }

                await new Promise((resolve) => setImmediate(resolve));
            }
        })();

        await stack.nginx.killWorker(victim);
        stop = true;
        await pushing;

        const fresh = await Promise.all(Array.from(
            { length: 12 }, (_, i) => Client.connect(stack.base,
                                                     { name: `f${i}` })));

        for (const c of fresh) {
            t.after(() => c.ws.terminate());
            await c.join('ring');
        }

        fresh[0].push('ring', 'last', { body: 1 });

        for (const c of fresh) {
            assert.deepEqual(await c.event('ring', 'last'), { body: 1 });
        }
    });
});
