/*
 * The replicator's memory: what comes and goes leaves nothing behind, and no
 * transaction, however large, is held as a whole.
 */

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, beforeEach, describe, test } from 'node:test';

import { LIMIT, until } from './lib/await.mjs';
import { subscription } from './lib/client.mjs';
import { FeedWorker } from './lib/feed-worker.mjs';
import { startStack } from './lib/stack.mjs';


const SELECT = 'select id, userid, content from posts';
const MB = 1024;

/* a sanitizer keeps freed memory, and its figures mean nothing */
const MEASURED = process.env.KAIROS_SANITIZE != '1';

let stack;

before(async () => {
    stack = await startStack({ workers: 1, env: { KAIROS_ROUTE_GRACE: '1s' },
        setup: `
        create table posts (id bigint primary key, userid int, content text);
        create table bulk (id bigint primary key, userid int, content text);
        alter table posts replica identity full;
        alter table bulk replica identity full;` });
});

after(() => stack?.stop());


/* A figure of the replicator's memory, kB. */
function memory(what) {
    const text = readFileSync(`/proc/${stack.replicator.pid}/status`, 'utf8');

    return Number(new RegExp(`^${what}:\\s+(\\d+) kB`, 'm').exec(text)[1]);
}


/* From here on the peak, VmHWM, is that of what follows. */
function resetPeak() {
    writeFileSync(`/proc/${stack.replicator.pid}/clear_refs`, '5');
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
        const topics = [];
        const figures = [];

        for (let i = 0; i < 100; i++) {
            topics.push((await worker.subscribe(BigInt(i + 1), wanted(i)))
                        .topic);
        }

        for (let part = 0; part < 4; part++) {
            await many(100, 50, async (i) => {
                const socket = BigInt(i + 1);
                const topic = topics[i];

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

        resetPeak();

        const before = memory('VmRSS');

        /* one in five has a route, four are nobody's */
        await stack.sql('insert into bulk select n, case when n <= $1 then 7'
                        + ' else 8 end, \'a row of the bulk\''
                        + ' from generate_series(1, 1000000) n', [matching]);
        await read();
        await until(() => ids.size == matching || reset,
                    () => `all rows arrive, there are ${ids.size}`,
                    6 * LIMIT);

        const peak = memory('VmHWM');

        t.diagnostic(`${before} kB before, ${peak} kB at most`);
        assert.equal(reset, undefined);
        bounded(peak - before, 128 * MB, 'the growth');
    });
});


describe('a large row', () => {
    /* each: what of it arrives, and the memory after it */
    async function insert(t, blocks) {
        const worker = await connect(t);
        const { topic } = await worker.subscribe(1n, wanted(1));
        const seen = [];

        await worker.join(1n, topic);

        for (let id = 0; id < 4; id++) {
            await stack.sql('insert into posts values ($1, 1,'
                            + ' repeat(\'0123456789abcdef\', $2))',
                            [id, blocks]);

            const frame = await worker.frames.take('an event', 6 * LIMIT);

            assert.equal(frame.type, 'EVENT');
            seen.push({ id, row: JSON.parse(frame.payload).rows[0],
                        kb: memory('VmRSS') });
        }

        worker.destroy();
        await stack.sql('truncate posts');
        t.diagnostic(`${seen.map(({ kb }) => kb).join(', ')} kB after each,`
                     + ` ${memory('VmHWM')} kB at most`);
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
