/*
 * The replication slot: WAL is not held without need, and whatever becomes
 * of the slot, its reader or its server, nobody is left behind in silence.
 */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';

import pg from 'pg';

import { LIMIT, until } from './lib/await.mjs';
import { subscription } from './lib/client.mjs';
import { FeedWorker } from './lib/feed-worker.mjs';
import { Live } from './lib/live.mjs';
import { start } from './lib/processes.mjs';
import { BUILD, startStack } from './lib/stack.mjs';


const SELECT = 'select id, userid, content from posts';

let stack;
let user = 0;

before(async () => {
    stack = await startStack({ workers: 1, env: {
        KAIROS_LOG_LEVEL: 'debug', KAIROS_STATEMENT_TIMEOUT: '1s' },
        setup: `
        create table posts (id bigint primary key, userid int, content text);
        create table notes (id bigint primary key, userid int, content text);
        create table noise (id bigserial, content text);
        create schema other;
        create table other.noise (id bigserial, content text);
        alter table posts replica identity full;
        alter table notes replica identity full;` });
});

after(() => stack?.stop());

beforeEach(() => {
    user++;
});


function open(t, table = 'posts') {
    return Live.open(stack.base, table, 'userid', `${user}`, {
        query: `select id, userid, content from ${table}` }).then((live) => {
        t.after(() => live.client.ws.terminate());
        return live;
    });
}


function insert(id, table = 'posts') {
    return stack.sql(`insert into ${table} values ($1, $2, 'c')`,
                     [user * 1000 + id, user]);
}


function converges(live, table = 'posts') {
    return live.converges('select id, userid, content'
                          + ` from ${table} where userid = ${user}`, stack,
                          3 * LIMIT);
}


async function slot() {
    const [row] = await stack.sql(
        'select *, confirmed_flush_lsn - \'0/0\' as at,'
        + ' restart_lsn - \'0/0\' as restart'
        + ' from pg_replication_slots where slot_name = $1', [stack.slot]);

    return row;
}


async function position() {
    const [{ at }] = await stack.sql(
        'select pg_current_wal_lsn() - \'0/0\' as at');

    return Number(at);
}


/* Waits until all that was written before is confirmed. */
async function confirmed() {
    const to = await position();
    let at;

    await until(async () => {
        at = Number((await slot()).at);
        return at >= to;
    }, () => `the slot is confirmed up to ${to}, it is at ${at}`, 3 * LIMIT);
}


/* The lines that the replicator has told since this was called. */
function log() {
    const from = stack.replicator.output().length;

    return (what) => stack.replicator.output().slice(from).split('\n')
                     .filter((line) => what.test(line));
}


/* Sets PostgreSQL's settings for one test. */
async function settings(t, values) {
    for (const [name, value] of Object.entries(values)) {
        await stack.sql(`alter system set ${name} = '${value}'`);
        t.after(async () => {
            await stack.sql(`alter system reset ${name}`);
            await stack.sql('select pg_reload_conf()');
        });
    }

    await stack.sql('select pg_reload_conf()');
}


/* Another replicator, with a socket of its own. */
async function another(t, slot = stack.slot) {
    const other = { told: '', socket: join(stack.dir, 'run/other.sock') };

    other.process = start(join(BUILD, 'kairos-replicator'), [], {
        user: 'nobody',
        onLine: (line) => { other.told += `${line}\n`; },
        env: { DATABASE_URL: stack.databaseUrl, SLOT: slot,
               KAIROS_SOCKET: other.socket, KAIROS_LOG_LEVEL: 'debug',
               KAIROS_REGISTER_WAIT: '0',
               ...stack.sanitizerEnv('other') } });

    t.after(async () => {
        if (!other.process.exited) {
            await other.process.kill('SIGKILL');
        }
    });

    other.lines = (what) => other.told.split('\n')
                            .filter((line) => what.test(line));

    return other;
}


describe('the slot advances', () => {
    /* for as long as one watches a table that nobody writes */
    const writes = {
        'another table': () => stack.sql(
            'insert into noise (content) select repeat(\'x\', 1000)'
            + ' from generate_series(1, 1000)'),

        'another schema': () => stack.sql(
            'insert into other.noise (content) select repeat(\'x\', 1000)'
            + ' from generate_series(1, 1000)'),

        'messages': () => stack.sql(
            'select pg_logical_emit_message(n % 2 = 0, \'x\','
            + ' repeat(\'x\', 9999)) from generate_series(1, 100) n'),

        'what is rolled back': () => stack.sql(
            'begin; insert into noise (content) select repeat(\'x\', 1000)'
            + ' from generate_series(1, 1000); rollback'),

        'another database': async () => {
            const client = stack.postgres.client('postgres');

            await client.connect();

            try {
                await client.query('create table if not exists noise as'
                                   + ' select repeat(\'x\', 1000)'
                                   + ' from generate_series(1, 1000)');
                await client.query('drop table noise');

            } finally {
                await client.end();
            }
        },
    };

    for (const [what, write] of Object.entries(writes)) {
        test(`while there is WAL of ${what} alone`, async (t) => {
            /* the server asks for answers earlier */
            await settings(t, { wal_sender_timeout: '1s' });
            await open(t);
            await confirmed();

            const from = Number((await slot()).at);

            await write();
            await until(() => position().then((at) => at > from + 900000),
                        'the WAL is written');
            await confirmed();
        });
    }

    test('unasked, and lets go of the WAL itself', async (t) => {
        await open(t);

        const from = Number((await slot()).restart);

        /* the server moves restart_lsn by the snapshots that it logs */
        await until(async () => {
            await stack.sql('insert into noise (content) values (\'x\')');
            await stack.sql('checkpoint');
            await confirmed();
            return Number((await slot()).restart) > from + 1000;
        }, 'restart_lsn moves', 3 * LIMIT);
    });
});


describe('two replicators on one slot', () => {
    test('one serves, the other takes over when it dies', async (t) => {
        const live = await open(t);
        const other = await another(t);

        await until(() => other.lines(/is in use by/).length >= 4,
                    'the other has tried four times', 3 * LIMIT);
        assert.equal(other.lines(/\[warn\].*is in use by/i).length, 1,
                     other.told);
        assert.equal(other.lines(/\[(error|alert)\]/i).length, 0, other.told);

        await insert(1);
        await live.next('an event of the one that serves');

        await stack.replicator.kill();
        await insert(2);

        const at = Date.now();

        await until(() => other.lines(/reading the slot/).length,
                    'the other reads the slot', 2 * LIMIT);

        const ms = Date.now() - at;

        t.diagnostic(`taken over after ${ms} ms`);
        assert.ok(ms < LIMIT, `${ms} ms`);

        const worker = await FeedWorker.connect(other.socket);

        t.after(() => worker.destroy());

        const { topic, rows } = await worker.subscribe(1n, subscription(
            'posts', 'userid', `${user}`, { query: SELECT }));

        assert.deepEqual(rows.map((row) => row.id % 1000), [1, 2]);
        await worker.join(1n, topic);
        await insert(3);

        const event = await worker.frames.find(
            (f) => f.type.startsWith('EVENT'), 'an event', 3 * LIMIT);

        assert.equal(JSON.parse(event.payload).rows[0].id, user * 1000 + 3);

        /* back in its place, the first one cannot have seen it all */
        await confirmed();
        worker.destroy();
        await other.process.kill('SIGKILL');

        const since = log();

        await stack.replicator.start();
        await live.client.event(live.topic, 'phx_error', 'phx_error',
                                3 * LIMIT);
        assert.equal(since(/the slot is not where/).length, 1);
        await assert.rejects(live.join(), /subscribe again/);
        assert.equal((await live.subscribe()).status, 'ok');
        await live.join();
        await insert(4);
        await converges(live);
    });
});


describe('a slot that cannot be made yet', () => {
    test('waits for a transaction that is open, and says so', async (t) => {
        const idle = await stack.pool.connect();

        try {
            await idle.query('begin; insert into noise (content) values'
                             + ' (\'open\')');

            const slot = `${stack.slot}_late`;
            const other = await another(t, slot);

            await until(() => other.lines(/\[warn\].*waits for the trans/)
                                   .length, 'it says why it waits', 3 * LIMIT);
            assert.equal(other.lines(/reading the slot/).length, 0);

            await idle.query('commit');
            await until(() => other.lines(/reading the slot/).length,
                        'the slot is read', 3 * LIMIT);

            await other.process.kill('SIGTERM');
            await stack.sql('select pg_drop_replication_slot($1)', [slot]);

        } finally {
            idle.release(true);
        }
    });
});


describe('a lost slot', () => {
    /* Has PostgreSQL throw away what the slot needs. */
    async function lose(t) {
        await settings(t, { max_slot_wal_keep_size: '1MB' });

        await until(async () => {
            await stack.sql('select pg_logical_emit_message(false, \'\','
                            + ' repeat(\'x\', 1000000))');
            await stack.sql('select pg_switch_wal()');
            await stack.sql('checkpoint');
            return (await slot()).wal_status == 'lost';
        }, 'the slot is lost', 3 * LIMIT);
    }

    async function told(since, live) {
        const { reason } = await live.client.event(
            live.topic, 'phx_error', 'phx_error', 3 * LIMIT);

        assert.match(reason, /changes were missed|epoch|subscribe again/);
        await assert.rejects(live.join(), /subscribe again/);
        assert.equal(since(/was invalidated/).length, 1);

        assert.equal((await live.subscribe()).status, 'ok');
        await live.join();
        await insert(9);
        await live.next('an event of the new slot', 3 * LIMIT);
        await converges(live);
        assert.notEqual((await slot()).wal_status, 'lost');
    }

    test('is made anew by a replicator that was away', async (t) => {
        const lives = [await open(t), await open(t, 'notes')];

        await insert(1);
        await converges(lives[0]);
        await stack.replicator.stop();
        await insert(2);
        await lose(t);

        const since = log();

        await stack.replicator.start();
        await told(since, lives[0]);
        await lives[1].client.event(lives[1].topic, 'phx_error',
                                    'the other route is told', 3 * LIMIT);
    });

    test('is made anew by a replicator that slept', async (t) => {
        const live = await open(t);
        const since = log();

        process.kill(stack.replicator.pid, 'SIGSTOP');
        t.after(() => process.kill(stack.replicator.pid, 'SIGCONT'));
        await insert(1);
        await lose(t);
        process.kill(stack.replicator.pid, 'SIGCONT');

        await told(since, live);
    });
});


describe('PostgreSQL stops', () => {
    async function stopTime() {
        const from = Date.now();

        await stack.postgres.stop('fast');

        const ms = Date.now() - from;

        await stack.postgres.start();
        return ms;
    }

    test('as fast with a reader as without', async (t) => {
        await stack.replicator.stop();
        await insert(0);

        const alone = await stopTime();

        await stack.replicator.start();

        const live = await open(t);
        let stopped = false;

        const writers = [1, 2, 3].map(async (n) => {
            for (let i = 0; !stopped && i < 100000; i++) {
                await stack.sql('insert into posts select'
                                + ' coalesce(max(id), 0) + 1, $1, \'w\''
                                + ' from posts', [user]).catch(() => {});
            }
        });

        t.after(() => { stopped = true; });
        await live.next('rows are written', 2 * LIMIT);

        const read = await stopTime();

        stopped = true;
        await Promise.all(writers);
        t.diagnostic(`stopped in ${read} ms, without a reader ${alone} ms`);
        assert.ok(read < alone + 3000, `${read} ms, alone ${alone} ms`);
        await stack.streaming();
        await converges(live);
    });
});


describe('messages in the WAL', () => {
    const odd = '\\x00ff22c328275c6e7d5d2c0a0d00';

    /* as a role that may log in, and nothing else */
    async function stranger(t) {
        const name = `stranger_${user}`;

        await stack.sql(`create role ${name} login`);

        const client = new pg.Client({
            ...stack.postgres.options(stack.database), user: name });

        await client.connect();
        t.after(async () => {
            await client.end();
            await stack.sql(`drop role ${name}`);
        });

        return async (prefix, bytes) => {
            const from = performance.now();

            await client.query('select pg_logical_emit_message(false, $1,'
                               + ' repeat(chr(1), $2))', [prefix, bytes]);
            return performance.now() - from;
        };
    }

    /* ms from an insert to its event */
    async function delay(live, id) {
        const from = performance.now();

        await insert(id);
        await live.next('the row', 3 * LIMIT);
        return performance.now() - from;
    }

    test('disturb nobody, in a transaction or outside', async (t) => {
        await settings(t, { wal_sender_timeout: '1s' });

        const live = await open(t);
        const since = log();
        const client = await stack.pool.connect();

        try {
            await client.query('begin');
            await client.query('insert into posts values ($1, $2, \'a\')',
                               [user * 1000, user]);

            for (const content of [odd, '\\x', '\\xc3', '\\x5c']) {
                for (const prefix of ['a"b\\c\u0001\n{}', 'kairos', '']) {
                    for (const transactional of [true, false]) {
                        await client.query('select pg_logical_emit_message('
                                           + '$1, $2, $3::bytea)',
                                           [transactional, prefix, content]);
                    }
                }
            }

            await client.query('insert into posts values ($1, $2, \'b\')',
                               [user * 1000 + 1, user]);
            await client.query('commit');

        } finally {
            client.release();
        }

        await insert(2);
        await converges(live);
        assert.equal(live.rows.size, 3);
        await confirmed();
        assert.deepEqual(since(/\[error\]|trying again|passed over/), []);
    });

    for (const prefix of ['a', 'kairos']) {
        test(`of 20 MB hold no event up, with the prefix "${prefix}"`,
             async (t) => {
            const live = await open(t);
            const emit = await stranger(t);
            let first = 0;

            for (let id = 1; id <= 3; id++) {
                first = Math.max(first, await delay(live, id));
            }

            const written = await emit(prefix, 20000000);
            const after = await delay(live, 4);

            /* the walsender reads those bytes, and prints none of them */
            assert.ok(after < 3 * written + 3 * first,
                      `an event took ${first} ms, writing ${written} ms, the`
                      + ` event behind the messages ${after} ms`);
        });
    }

    test('of 190 MB do not stop the stream', async (t) => {
        const live = await open(t);
        const since = log();
        const emit = await stranger(t);

        await emit('a', 190000000);
        await insert(1);
        await converges(live);
        assert.deepEqual(since(/\[error\]|\[warn\]|creating it/), []);
    });
});


describe('the replicator reports to the walsender', () => {
    const backends = (type) => stack.sql(
        'select pid, reply_time::text from pg_stat_activity'
        + ' left join pg_stat_replication using (pid)'
        + ' where pg_stat_activity.application_name = \'kairos-replicator\''
        + ' and datname = current_database() and backend_type = $1', [type]);

    test('while more changes wait than it may hold', async (t) => {
        await settings(t, { wal_sender_timeout: '1s' });
        await stack.sql('select pg_terminate_backend(active_pid)'
                        + ' from pg_replication_slots where active');
        await stack.streaming();

        const live = await open(t);
        const since = log();
        const stopped = [];
        const stop = (pid) => {
            process.kill(pid, 'SIGSTOP');
            stopped.push(pid);
        };

        const resume = () => {
            stopped.splice(0).forEach((pid) => process.kill(pid, 'SIGCONT'));
        };

        t.after(resume);
        await insert(0);
        await converges(live);

        /* no refetch has an answer, so the stream is not read to its end */
        (await backends('client backend')).forEach(({ pid }) => stop(pid));
        await stack.sql('insert into posts'
                        + ' select $1::bigint * 1000000 + n, $1, \'c\''
                        + ' from generate_series(1, 250000) n', [user]);

        const [{ pid }] = await backends('walsender');
        const times = new Set();

        await until(async () => {
            const [walsender] = await backends('walsender');

            assert.equal(walsender?.pid, pid, since(/stream/).join('\n'));
            times.add(walsender.reply_time);
            return times.size > 12;
        }, 'twelve reports', 3 * LIMIT);

        resume();
        await stack.sql('delete from posts where userid = $1 and id > $2',
                        [user, user * 1000]);
        await converges(live);
        assert.deepEqual(since(/read the stream/), []);
    });
});


describe('a connection is lost', () => {
    test('as the replicator slept for too long: nothing is lost',
         async (t) => {
        await settings(t, { wal_sender_timeout: '2s' });

        const live = await open(t);

        await insert(1);
        await converges(live);
        process.kill(stack.replicator.pid, 'SIGSTOP');
        t.after(() => process.kill(stack.replicator.pid, 'SIGCONT'));
        await insert(2);
        await until(() => slot().then((row) => !row.active),
                    'the walsender gave up', 3 * LIMIT);
        await insert(3);
        process.kill(stack.replicator.pid, 'SIGCONT');

        await stack.streaming();
        await insert(4);
        await converges(live);
        assert.equal(live.rows.size, 4);
    });

    test('again and again, by an administrator: nothing is lost',
         async (t) => {
        const live = await open(t);
        let last = 0;

        for (let i = 0; i < 6; i++) {
            const writer = (async () => {
                for (let n = 0; n < 60; n++) {
                    await insert(++last);
                }
            })();

            /* the stream, the pool's, or both */
            await live.next('an event', 3 * LIMIT);

            await until(() => stack.sql(
                'select pg_terminate_backend(pid) from pg_stat_activity'
                + ' where application_name = \'kairos-replicator\''
                + ' and (backend_type = \'walsender\') = any ($1)',
                [[[true], [false], [true, false]][i % 3]])
                .then((ended) => ended.length), 'one is ended');
            await writer;
            await stack.streaming();
        }

        await converges(live);
        assert.equal(live.rows.size, last);
    });
});


describe('a table that is locked', () => {
    const waits = () => stack.sql('select from pg_locks where not granted')
                        .then((rows) => rows.length);

    test('holds up its own routes alone', async (t) => {
        const held = await open(t);
        const other = await open(t, 'notes');
        const writer = await stack.pool.connect();
        const locker = await stack.pool.connect();

        try {
            /* who waits for the lock has it before anybody sees the row */
            await writer.query('begin');
            await writer.query('insert into posts values ($1, $2, \'c\')',
                               [user * 1000, user]);
            await locker.query('begin');

            const locked = locker.query(
                'lock table posts in access exclusive mode');

            await until(waits, 'the lock is waited for');
            await writer.query('commit');
            await locked;

            for (let i = 0; i < 30; i++) {
                await insert(i, 'notes');
            }

            await until(waits, 'the refetch waits');
            await converges(other, 'notes');
            held.drain();
            assert.equal(held.rows.size, 0);

            /* beyond what a statement may take, and tried again */
            await until(() => waits().then((n) => n == 0),
                        'the refetch is given up', 3 * LIMIT);
            await until(waits, 'the refetch is tried again', 3 * LIMIT);
            await locker.query('commit');

        } finally {
            writer.release();
            locker.release();
        }

        await insert(1);
        await converges(held);
        assert.equal(held.rows.size, 2);
    });
});
