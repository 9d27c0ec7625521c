/*
 * Isolation: a table that is locked, a query that is slow and a client that
 * asks for much delay their own routes, and nobody else's.  Others' events
 * are counted while the lock is held: what comes is not asked by the clock.
 */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, beforeEach, describe, test } from 'node:test';

import { LIMIT, until } from './lib/await.mjs';
import { Client, subscription } from './lib/client.mjs';
import { Live, Refused } from './lib/live.mjs';
import { startStack } from './lib/stack.mjs';


const TABLES = `
    create table posts (id bigint primary key, userid int, content text);
    create table notes (id bigint primary key, userid int, content text);
    create table noise (id bigserial, content text);
    create table pace (n int);
    insert into pace values (0);
    create function slow(bigint) returns int immutable language plpgsql as
        'begin perform pg_sleep(n) from pace; return 1; end';
    create function at() returns float8 stable language sql as
        'select extract(epoch from clock_timestamp())::float8';
    create table many (id int primary key);
    insert into many select generate_series(1, 20000);
    alter table posts replica identity full;
    alter table notes replica identity full;
    alter table many replica identity full;
    analyze many;`;

let user = 0;

beforeEach(() => {
    user++;
});


async function stackOf(env) {
    const stack = await startStack({ workers: 1, setup: TABLES, env });

    stack.locks = [];
    return stack;
}


/* A connection that is not given back would be waited for. */
async function stop(stack) {
    for (const release of stack?.locks ?? []) {
        await release();
    }

    await stack?.stop();
}


/* The n-th of as many templates of the table as one likes. */
function query(table, n) {
    return `select id, userid, content, ${n} as n from ${table}`;
}


async function open(t, stack, table, sql = query(table, 0), more = {}) {
    const live = await Live.open(stack.base, table, 'userid', `${user}`,
                                 { query: sql, ...more });

    live.sql = `select * from (${sql}) q where userid = ${user}`;
    t.after(() => live.client.ws.terminate());
    return live;
}


function openMany(t, stack, table, n) {
    return Promise.all(Array.from({ length: n }, (_, i) => {
        return open(t, stack, table, query(table, i));
    }));
}


function insert(stack, table, id) {
    return stack.sql(`insert into ${table} values ($1, $2, 'c')`,
                     [user * 1000000 + id, user]);
}


/*
 * The table with n more rows, locked before anybody could see them: who waits
 * for the lock has it first.  Gives what lets go of it; its query() is that of
 * who has it.
 */
async function lock(t, stack, table, n) {
    const writer = await stack.pool.connect();
    const locker = await stack.pool.connect();
    let held = true;

    const release = async () => {
        if (held) {
            held = false;
            await locker.query('commit');
            locker.release();
        }
    };

    try {
        await writer.query('begin');
        await writer.query(`insert into ${table} select $1 + i, $2, 'c'`
                           + ' from generate_series(1, $3::int) i',
                           [user * 1000000, user, n]);
        await locker.query('begin');

        const locked = locker.query(`lock table ${table} in access exclusive`
                                    + ' mode');

        await until(() => stack.sql(
            'select from pg_locks where not granted and relation = '
            + `'${table}'::regclass and mode = 'AccessExclusiveLock'`)
            .then((rows) => rows.length), 'the lock is waited for');
        await writer.query('commit');
        await locked;

    } finally {
        writer.release();
    }

    stack.locks.push(release);
    t.after(release);
    release.query = (sql) => locker.query(sql);
    return release;
}


/* How many of the replicator's statements wait for a lock now. */
async function waiting(stack) {
    const [{ n }] = await stack.sql(
        'select count(*)::int as n from pg_stat_activity where'
        + ' application_name = \'kairos-replicator\''
        + ' and wait_event_type = \'Lock\'');

    return Number(n);
}


/* The time that the replicator had of a processor, in hundredths. */
function busy(stack) {
    const stat = readFileSync(`/proc/${stack.replicator.pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');

    return Number(fields[11]) + Number(fields[12]);
}


/* Each of them has so many rows; all that came is applied. */
function have(lives, n, what) {
    return until(() => {
        for (const live of lives) {
            live.drain();
        }

        return lives.every((live) => live.rows.size >= n);
    }, () => `${what}: ${lives.map((live) => live.rows.size)}`, 3 * LIMIT);
}


function converge(stack, lives) {
    return Promise.all(lives.map((live) => {
        return live.converges(live.sql, stack, 3 * LIMIT);
    }));
}


function told(live) {
    return live.client.event(live.topic, 'phx_error', 'it is told',
                             3 * LIMIT);
}


/* Who was told, subscribes again. */
async function convergeOrTold(stack, live) {
    const again = await Promise.race([
        told(live).then(() => true, () => false),
        converge(stack, [live]).then(() => false)]);

    if (again) {
        await until(() => live.subscribe().then(
            (reply) => reply.status == 'ok'), 'it is served', 3 * LIMIT);
        await live.join();
        await converge(stack, [live]);
    }
}


/* Waits until PostgreSQL has sent all that is committed to the replicator. */
async function sent(stack) {
    const [{ at }] = await stack.sql('select pg_current_wal_lsn() as at');

    await until(() => stack.sql(
        'select from pg_stat_replication r join pg_replication_slots s'
        + ' on s.active_pid = r.pid where s.slot_name = $1'
        + ' and r.sent_lsn >= $2', [stack.slot, at])
        .then((rows) => rows.length), `${at} is sent`, 3 * LIMIT);
}


async function confirmed(stack) {
    const [{ lag }] = await stack.sql(
        'select pg_current_wal_lsn() - confirmed_flush_lsn as lag'
        + ' from pg_replication_slots where slot_name = $1', [stack.slot]);

    return Number(lag);
}


for (const size of [1, 2, 10]) {
    describe(`a pool of ${size}`, () => {
        let stack;

        before(async () => {
            stack = await stackOf({ POOL_SIZE: `${size}` });
        });

        after(() => stop(stack));

        test('20 locked templates: others get all, and they come later',
             async (t) => {
            const locked = await openMany(t, stack, 'posts', 20);
            const others = await openMany(t, stack, 'notes', 20);
            const release = await lock(t, stack, 'posts', 3);

            await until(() => waiting(stack), 'a refetch waits', 3 * LIMIT);

            const late = assert.rejects(
                open(t, stack, 'posts', query('posts', 99)),
                (err) => err instanceof Refused && /locked/.test(err.message));

            for (let i = 1; i <= 100; i++) {
                await insert(stack, 'notes', i);
            }

            await have(others, 100, 'the others have all');

            /* so may one who comes now */
            const one = await open(t, stack, 'notes', query('notes', 98));

            assert.equal(one.rows.size, 100);
            await late;

            for (let i = 101; i <= 110; i++) {
                await insert(stack, 'notes', i);
            }

            await have([one, ...others], 110, 'and more');

            for (const live of locked) {
                live.drain();
                assert.equal(live.rows.size, 0);
            }

            await release();
            await insert(stack, 'posts', 99);
            await converge(stack, locked);
            await converge(stack, others);
            assert.doesNotMatch(stack.replicator.output(),
                                /was reset|cannot be fetched/);
        });

        test('what rests is tried again, though no connection is left',
             async (t) => {
            const live = await open(t, stack, 'posts');
            const release = await lock(t, stack, 'posts', 3);

            await until(() => waiting(stack), 'a refetch waits', 3 * LIMIT);

            /* at once, so that none of them was at work */
            await until(() => stack.sql(
                'with a as materialized (select * from pg_stat_activity where'
                + ' application_name = \'kairos-replicator\''
                + ' and backend_type = \'client backend\')'
                + ' select pg_terminate_backend(pid) from a where not exists'
                + ' (select from a where state <> \'idle\')')
                .then((rows) => rows.length), 'it rests', 3 * LIMIT);

            const before = busy(stack);

            await release();
            await converge(stack, [live]);
            assert.ok(busy(stack) - before < 50, 'it waits for events');
        });

        test('locked whole queries: others get all', async (t) => {
            const count = (table, i) => 'select userid, count(*) as id,'
                + ` ${i} as n from ${table} group by userid`;
            const locked = await Promise.all([1, 2, 3, 4, 5, 6].map((i) => {
                return open(t, stack, 'posts', count('posts', i),
                            { pk: 'userid' });
            }));
            const others = await Promise.all([1, 2, 3].map((i) => {
                return open(t, stack, 'notes', count('notes', i),
                            { pk: 'userid' });
            }));
            const release = await lock(t, stack, 'posts', 3);

            await until(() => waiting(stack), 'a run waits', 3 * LIMIT);

            for (let i = 1; i <= 5; i++) {
                await insert(stack, 'notes', i);
                await until(() => others.every((live) => {
                    live.drain();
                    return [...live.rows.values()].every(
                        (row) => row.id == i) && live.rows.size;
                }), `the others count ${i}`, 3 * LIMIT);
            }

            await release();
            await converge(stack, [...locked, ...others]);
        });

        /*
         * The subscribes are sent while the replicator is stopped, so that
         * all of them wait when the replicator goes on.  at() is the time at
         * which PostgreSQL ran the query: the test reads replies of several
         * connections in another order than nginx sent the replies.
         */
        test('a client that asks for much does not hold up another',
             async (t) => {
            const connect = async (name) => {
                const client = await Client.connect(stack.base, { name });

                t.after(() => client.ws.terminate());
                await client.join(`user:${user}${name}`, {});
                return client;
            };
            const ask = async (client, name, i) => {
                const reply = await client.call(
                    `user:${user}${name}`, 'subscribe',
                    subscription('notes', 'userid', `${user}`, {
                        query: 'select id, userid, (select count(*) from many'
                               + ` a, many b where b.id <= 5) + ${i} as n,`
                               + ' at() as at from notes' }));

                assert.equal(reply.status, 'ok', JSON.stringify(reply));
                return Number(reply.response.rows[0].at);
            };
            const greedy = await connect('greedy');
            const modest = await connect('modest');

            await insert(stack, 'notes', 0);
            await stack.confirmed();

            const live = await open(t, stack, 'notes',
                                    'select *, at() as at from notes');
            const asked = [];
            let answer;

            process.kill(stack.replicator.pid, 'SIGSTOP');

            try {
                for (let i = 0; i < 60; i++) {
                    asked.push(ask(greedy, 'greedy', i));
                }

                /* nginx forwards a subscribe before it answers a heartbeat
                   that came later */
                await greedy.pending();
                answer = ask(modest, 'modest', 1000);
                await modest.pending();
                await insert(stack, 'notes', 1);
                await sent(stack);

            } finally {
                process.kill(stack.replicator.pid, 'SIGCONT');
            }

            const event = live.next('an event', 3 * LIMIT);
            const [mine, [row], ...theirs] = await Promise.all(
                [answer, event, ...asked]);

            for (const at of [mine, Number(row.at)]) {
                const n = theirs.filter((other) => other < at).length;

                assert.ok(n < 20, `${n} before`);
            }
        });
    });
}


describe('a table that is altered, while it is locked', () => {
    let stack;

    before(async () => {
        stack = await stackOf({});
    });

    after(() => stop(stack));

    test('and so rewritten, is not taken for an empty one', async (t) => {
        const rows = await open(t, stack, 'posts');
        const whole = await open(t, stack, 'posts', 'select userid, count(*)'
                                 + ' as id from posts group by userid',
                                 { pk: 'userid' });
        const release = await lock(t, stack, 'posts', 3);

        await until(() => waiting(stack), 'they wait', 3 * LIMIT);
        await release.query('alter table posts add r float default random()');

        const late = open(t, stack, 'posts', query('posts', 1));

        /* with snapshots from before */
        await until(() => waiting(stack).then((n) => n == 3),
                    'all three wait at once', 3 * LIMIT);
        await release();

        await converge(stack, [rows, whole, await late]);
        assert.equal((await late).rows.size, 3);
    });

    test('is not waited for by who looks for other alterations', async (t) => {
        await stack.sql(`
            create table parts (id int primary key, userid int, content text)
                partition by range (id);
            create table part partition of parts for values from (0) to (9);
            alter table part replica identity full`);

        await open(t, stack, 'parts');

        const live = await open(t, stack, 'notes');
        const locker = await stack.pool.connect();

        try {
            await locker.query('begin; lock table part');
            await stack.sql('drop table notes');
            assert.match((await told(live)).reason, /dropped/);

        } finally {
            await locker.query('commit');
            locker.release();
        }
    });
});


describe('slow queries', () => {
    let stack;

    before(async () => {
        stack = await stackOf({ POOL_SIZE: '2',
                                KAIROS_STATEMENT_TIMEOUT: '3s' });
    });

    after(() => stop(stack));

    test('more of them than connections delay nobody else', async (t) => {
        const slow = await Promise.all([
            open(t, stack, 'posts', 'select *, slow(id) as n from posts'),
            open(t, stack, 'posts', 'select *, slow(id) + 1 as n from posts'),
            open(t, stack, 'posts', 'select userid, count(*) as id,'
                 + ' max(slow(id)) as n from posts group by userid',
                 { pk: 'userid' })]);
        const other = await open(t, stack, 'notes');
        const running = () => stack.sql(
            'select from pg_stat_activity where wait_event = \'PgSleep\''
            + ' and application_name = \'kairos-replicator\'')
            .then((rows) => rows.length);

        await stack.sql('update pace set n = 60');
        await insert(stack, 'posts', 1);
        await until(running, 'a slow one runs', 3 * LIMIT);

        /* one after the other, so that a delay of each would add up */
        for (let i = 1; i <= 100; i++) {
            await insert(stack, 'notes', i);
            await other.next('an event', 3 * LIMIT);
        }

        for (const live of slow) {
            live.drain();
            assert.equal(live.rows.size, 0);
        }

        assert.doesNotMatch(stack.replicator.output(), /was reset/);

        /* when it is quick again they have it, or were told before */
        await stack.sql('update pace set n = 0');
        await insert(stack, 'posts', 2);

        await Promise.all(slow.map((live) => convergeOrTold(stack, live)));
    });
});


describe('what hangs for too long', () => {
    let stack;

    async function start(t, env) {
        stack = await stackOf({ POOL_SIZE: '2', ...env });
        t.after(() => stop(stack));
    }

    async function routes(t) {
        const grouped = 'select userid, count(*) as id from posts'
                        + ' group by userid';

        return [await open(t, stack, 'posts'),
                await open(t, stack, 'posts', grouped, { pk: 'userid' })];
    }

    /* The lock is held, its routes were told, and others go on. */
    async function goesOn(t, locked, other, release) {
        await Promise.all(locked.map(async (live) => {
            assert.match((await told(live)).reason, /is locked/);
            await assert.rejects(live.join(), /subscribe again/);
        }));

        const n = other.rows.size;

        for (let i = 1; i <= 20; i++) {
            await insert(stack, 'notes', n + i);
        }

        await have([other], n + 20, 'the other one has all');
        await until(() => confirmed(stack).then((lag) => lag < 100000),
                    'nothing is kept for them', 3 * LIMIT);
        await release();

        for (const live of locked) {
            assert.equal((await live.subscribe()).status, 'ok');
            await live.join();
        }

        await insert(stack, 'posts', 999999);
        await converge(stack, [...locked, other]);
    }

    test('is told, and keeps no WAL', async (t) => {
        await start(t, { KAIROS_STUCK_TIME: '2s' });

        const locked = await routes(t);
        const other = await open(t, stack, 'notes');

        await goesOn(t, locked, other, await lock(t, stack, 'posts', 3));
    });

    test('does not hold up a replicator that starts', async (t) => {
        await start(t, {});

        const locked = await routes(t);
        const other = await open(t, stack, 'notes');
        const release = await lock(t, stack, 'posts', 3);

        await stack.replicator.kill();
        await insert(stack, 'notes', 1);
        await stack.replicator.start();
        await have([other], 1, 'the other one goes on');
        await release();
        await insert(stack, 'posts', 9);
        await Promise.all(locked.map((live) => convergeOrTold(stack, live)));
    });

    test('is told, if it keeps too much WAL', async (t) => {
        await start(t, { KAIROS_STUCK_WAL: '2m' });

        const locked = await routes(t);
        const other = await open(t, stack, 'notes');
        const release = await lock(t, stack, 'posts', 3);

        await until(() => waiting(stack), 'a refetch waits', 3 * LIMIT);
        await insert(stack, 'notes', 1);
        await have([other], 1, 'the other one goes on');
        assert.doesNotMatch(stack.replicator.output(), /was reset/);

        for (let i = 0; i < 4; i++) {
            await stack.sql('insert into noise (content) select'
                            + ' repeat(\'x\', 1000) from'
                            + ' generate_series(1, 1000)');
        }

        await goesOn(t, locked, other, release);
    });

    test('is told, if it has gathered so much that the stream stands',
         async (t) => {
        await start(t, {});

        const locked = [await open(t, stack, 'posts')];
        const other = await open(t, stack, 'notes');
        const release = await lock(t, stack, 'posts', 80000);

        await insert(stack, 'notes', 1);
        await have([other], 1, 'the other one goes on');
        await goesOn(t, locked, other, release);
    });
});
