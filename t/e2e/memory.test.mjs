/*
 * The memory of the replicator and of nginx's worker, and their descriptors:
 * what comes and goes leaves nothing behind, and no transaction, however
 * large, is held as a whole.
 */

import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { after, before, beforeEach, describe, test } from 'node:test';

import { LIMIT, until } from './lib/await.mjs';
import { Client, subscription } from './lib/client.mjs';
import { FeedWorker } from './lib/feed-worker.mjs';
import { Live } from './lib/live.mjs';
import { startStack } from './lib/stack.mjs';


const SELECT = 'select id, userid, content from posts';
const MB = 1024;

/* a sanitizer keeps freed memory, and its figures mean nothing */
const MEASURED = process.env.KAIROS_SANITIZE != '1';

let stack;

before(async () => {
    stack = await startStack({ workers: 1, env: { KAIROS_ROUTE_GRACE: '1s' },
        directives: 'kairos_queue_size 32m; kairos_idle_timeout 600s;',
        setup: `
        create table posts (id bigint primary key, userid int, content text);
        create table bulk (id bigint primary key, userid int, content text);
        alter table posts replica identity full;
        alter table bulk replica identity full;` });
});

after(() => stack?.stop());


/* A figure of a process's memory, the replicator's by default, kB. */
function memory(what, pid = stack.replicator.pid) {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8');

    return Number(new RegExp(`^${what}:\\s+(\\d+) kB`, 'm').exec(text)[1]);
}


/* From here on the peak, VmHWM, is that of what follows. */
function resetPeak(pid = stack.replicator.pid) {
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
}


function descriptors(pid) {
    return readdirSync(`/proc/${pid}/fd`).length;
}


const nginx = () => stack.nginx.workers()[0];


/* Until nothing of the clients is left, neither here nor there. */
async function nobody() {
    await until(async () => {
        const { sockets, channels } = await stack.nginx.status();

        return sockets == 0 && channels == 0;
    }, 'the zone counts no socket and no channel', 6 * LIMIT, 100);
}


function bounded(kb, bound, what) {
    if (MEASURED) {
        assert.ok(kb <= bound, `${what}: ${kb} kB, not more than ${bound}`);
    }
}


async function connect(t) {
    const worker = await FeedWorker.connect(stack.socket);

    t.after(() => worker.destroy());
    return worker;
}


const wanted = (userid, more = {}) => subscription(
    more.table ?? 'posts', 'userid', `${userid}`, { query: SELECT, ...more });


/* Does n of these, so many at a time. */
async function many(n, width, one) {
    let next = 0;

    await Promise.all(Array.from({ length: width }, async () => {
        while (next < n) {
            await one(next++);
        }
    }));
}


/* Until all that was committed before has been read. */
async function read() {
    const [{ at }] = await stack.sql('select pg_current_wal_lsn() as at');

    await until(() => stack.sql(
        'select from pg_replication_slots where slot_name = $1'
        + ' and confirmed_flush_lsn >= $2', [stack.slot, at])
        .then((rows) => rows.length), 'all is confirmed', 12 * LIMIT, 100);
}


describe('what comes and goes', () => {
    /* a leak must not hide in what an earlier test has freed */
    beforeEach(async () => {
        await stack.replicator.stop();
        await stack.replicator.start();
    });

    test('10 000 subscriptions, each of its own kind', async (t) => {
        const figures = [];

        for (const round of [0, 1]) {
            const worker = await connect(t);

            await many(5000, 64, (i) => worker.subscribe(
                BigInt(i + 1), wanted(1000 + round * 5000 + i), 6 * LIMIT));

            figures.push(memory('VmRSS'));

            for (let i = 1; i <= 5000; i++) {
                worker.send('GONE', { socket: BigInt(i) });
            }

            await worker.settle(6 * LIMIT);
            worker.destroy();
        }

        t.diagnostic(`${figures.join(', ')} kB with 5000 of them`);
        bounded(figures[1] - figures[0], 3 * MB, 'the growth by the second');
    });

    test('20 000 joins and leaves', async (t) => {
        const worker = await connect(t);
        const figures = [];

        for (let part = 0; part < 4; part++) {
            await many(100, 50, async (i) => {
                const socket = BigInt(i + 1);
                const { topic } = await worker.subscribe(socket, wanted(i),
                                                         6 * LIMIT);

                for (let n = 0; n < 50; n++) {
                    await worker.join(socket, topic, 6 * LIMIT);
                    worker.send('LEAVE', { socket, client: socket, topic,
                                           lost: n % 2 });
                }
            });

            figures.push(memory('VmRSS'));
        }

        t.diagnostic(`${figures.join(', ')} kB after each 5000`);
        bounded(figures[3] - figures[1], 512,
                'the growth by the second half');
    });
});


describe('a storm of 10 000 subscribes', () => {
    const SOCKETS = 500;
    const EACH = 20;

    /* each its own query; the answers: how many were granted and refused */
    async function storm(clients, round) {
        const answers = clients.flatMap((client, i) => {
            return Array.from({ length: EACH }, (_, k) => {
                client.send([client.joins.storm, `s${k}`, 'storm', 'subscribe',
                             wanted(round * 20000 + i * EACH + k)]);
                return client.inbox.find(
                    (text) => JSON.parse(text)[1] == `s${k}`,
                    `the answer to subscribe ${k}`, 24 * LIMIT);
            });
        });
        const said = { ok: 0, refused: 0 };

        for (const text of await Promise.all(answers)) {
            const { status, response } = JSON.parse(text)[4];

            if (status == 'ok') {
                said.ok++;
                continue;
            }

            assert.match(response.reason, /try again/);
            said.refused++;
        }

        return said;
    }

    /* until what was asked for by those who are gone is done with */
    function calm() {
        return until(async () => {
            const worker = await FeedWorker.connect(stack.socket);
            const granted = await worker.subscribe(1n, wanted(1), 3 * LIMIT)
                                  .then(() => true, () => false);

            worker.destroy();
            return granted;
        }, 'a subscribe is granted', 24 * LIMIT, 500);
    }

    test('at once, from many: each is answered, and nothing is left',
         async (t) => {
        const figures = [];

        for (const round of [1, 2]) {
            const clients = [];

            await many(SOCKETS, 20, async () => {
                const client = await Client.connect(stack.base);

                clients.push(client);
                await client.join('storm');
            });

            const from = Date.now();
            const said = await storm(clients, round);

            figures.push({ ms: Date.now() - from, ...said,
                           replicator: memory('VmRSS'),
                           nginx: memory('VmRSS', nginx()) });

            assert.equal(said.ok + said.refused, SOCKETS * EACH);
            assert.notEqual(said.ok, 0);

            clients.forEach((client) => client.ws.terminate());
            await nobody();
            await calm();
            figures.at(-1).descriptors = descriptors(nginx());
        }

        for (const f of figures) {
            t.diagnostic(JSON.stringify(f));
        }

        bounded(figures[1].replicator - figures[0].replicator, 16 * MB,
                'the growth of the replicator by the second');
        bounded(figures[1].nginx - figures[0].nginx, 4 * MB,
                'the growth of nginx by the second');
        assert.ok(figures[1].descriptors <= figures[0].descriptors + 2);
    });
});


describe('a day of clients', () => {
    /* those whom the zone had no room to count */
    const uncounted = () => stack.nginx.status()
                                 .then((all) => ({ uncounted: all.uncounted }));

    test('sockets, topics and routes come and go', async (t) => {
        const figures = [];
        const SOCKETS = 1000;

        for (let part = 0; part < 3; part++) {
            await many(SOCKETS, 20, async (i) => {
                const client = await Client.connect(stack.base);

                for (let k = 0; k < 3; k++) {
                    await client.join(`room:${i}:${k}`);
                    client.push(`room:${i}:${k}`, 'hello', { i });
                }

                client.send([client.joins[`room:${i}:0`], 'l',
                             `room:${i}:0`, 'phx_leave', {}]);

                if (i % 10 == 0) {
                    const { response } = await client.call(
                        `room:${i}:1`, 'subscribe', wanted(i % 50));

                    await client.join(response.route_topics[0]);
                }

                /* half of them without a word */
                if (i % 2 == 0) {
                    client.ws.terminate();

                } else {
                    await client.close();
                }
            });
            await nobody();

            figures.push({ replicator: memory('VmRSS'),
                           nginx: memory('VmRSS', nginx()),
                           descriptors: descriptors(nginx()),
                           ...await uncounted() });
        }

        for (const f of figures) {
            t.diagnostic(JSON.stringify(f));
        }

        bounded(figures[2].replicator - figures[1].replicator, MB,
                'the growth of the replicator by the third part');
        bounded(figures[2].nginx - figures[1].nginx, MB,
                'the growth of nginx by the third part');
        assert.ok(figures[2].descriptors <= figures[0].descriptors + 2);
        assert.equal(figures[2].uncounted, 0);
    });
});


describe('a transaction of a million rows', () => {
    test('is not held in memory', async (t) => {
        const worker = await connect(t);
        const matching = 200000;
        const ids = new Set();
        let reset;

        const { topic } = await worker.subscribe(1n, wanted(7, {
            table: 'bulk', query: 'select id, userid, content from bulk' }));

        await worker.join(1n, topic);

        worker.onFrame = (frame) => {
            if (frame.type != 'EVENT') {
                reset = frame.reason;
                return;
            }

            for (const row of JSON.parse(frame.payload).rows) {
                ids.add(row.id);
            }
        };

        /* and a page, through nginx */
        const page = await Live.open(stack.base, 'bulk', 'userid', '7', {
            query: 'select id, userid, content from bulk' });

        t.after(() => page.client.ws.terminate());
        resetPeak();
        resetPeak(nginx());

        const before = memory('VmRSS');
        const nginxBefore = memory('VmRSS', nginx());

        /* one in five has a route, four are nobody's */
        await stack.sql('insert into bulk select n, case when n <= $1 then 7'
                        + ' else 8 end, \'a row of the bulk\''
                        + ' from generate_series(1, 1000000) n', [matching]);
        await read();
        await until(() => ids.size == matching || reset,
                    () => `all rows arrive, there are ${ids.size}`,
                    6 * LIMIT);

        await until(() => {
            page.drain();
            return page.rows.size == matching;
        }, () => `the page has all rows, it has ${page.rows.size}`, 6 * LIMIT);

        const peak = memory('VmHWM');
        const nginxPeak = memory('VmHWM', nginx());

        t.diagnostic(`${before} kB before, ${peak} kB at most; nginx`
                     + ` ${nginxBefore} kB before, ${nginxPeak} kB at most`);
        assert.equal(reset, undefined);
        bounded(peak - before, 128 * MB, 'the growth');
        bounded(nginxPeak - nginxBefore, 48 * MB, 'the growth of nginx');
    });
});


describe('a large row', () => {
    /* each: what of it arrives, and the memory after it */
    async function insert(t, blocks) {
        const worker = await connect(t);
        const { topic } = await worker.subscribe(1n, wanted(1));
        const seen = [];

        await worker.join(1n, topic);

        const page = await Live.open(stack.base, 'posts', 'userid', '1', {
            query: SELECT });

        t.after(() => page.client.ws.terminate());

        for (let id = 0; id < 4; id++) {
            await stack.sql('insert into posts values ($1, 1,'
                            + ' repeat(\'0123456789abcdef\', $2))',
                            [id, blocks]);

            const frame = await worker.frames.take('an event', 6 * LIMIT);

            assert.equal(frame.type, 'EVENT');
            assert.equal((await page.next('an event', 6 * LIMIT))[0].id, id);
            seen.push({ id, row: JSON.parse(frame.payload).rows[0],
                        kb: memory('VmRSS'),
                        nginx: memory('VmRSS', nginx()) });
        }

        worker.destroy();
        await stack.sql('truncate posts');
        t.diagnostic(`${seen.map(({ kb }) => kb).join(', ')} kB after each,`
                     + ` ${memory('VmHWM')} kB at most; nginx`
                     + ` ${seen.map(({ nginx }) => nginx).join(', ')} kB`);
        bounded(seen[3].nginx - seen[1].nginx, 24 * MB,
                'the growth of nginx by two more');
        bounded(seen[3].kb - seen[1].kb, 24 * MB, 'the growth by two more');
        bounded(memory('VmHWM'), 320 * MB, 'the peak');
        return seen;
    }

    test('of 8 MB arrives', async (t) => {
        for (const { id, row } of await insert(t, 524288)) {
            assert.equal(row.id, id);
            assert.equal(row.content.length, 8 * 1024 * 1024);
        }
    });

    test('of 16 MB is told of, without its content', async (t) => {
        for (const { id, row } of await insert(t, 1048576)) {
            assert.equal(row.id, id);
            assert.equal(row.content, undefined);
            assert.match(JSON.stringify(row), /the row is too large/);
        }
    });
});
