/*
 * What the replicator's settings do, and what a container makes of them:
 * docker/configure and docker/entrypoint, run without a container.
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync,
         rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test }
    from 'node:test';

import { LIMIT, once, until, within } from './lib/await.mjs';
import { Client, subscription } from './lib/client.mjs';
import { Live } from './lib/live.mjs';
import { removeCluster, sharedCluster } from './lib/postgres.mjs';
import { IS_ROOT, children, freePort, start } from './lib/processes.mjs';
import { BUILD, ROOT, startStack } from './lib/stack.mjs';


const PROGRAM = join(BUILD, 'kairos-replicator');
const MODULE = join(BUILD, 'ngx_http_kairos_module.so');
const NGINX = process.env.KAIROS_NGINX ?? '/usr/sbin/nginx';
const USER = 'nobody';

/* of the seed's table, ours, and libpq's: none may leak into a test */
const CLEAN = Object.fromEntries(Object.entries(process.env).filter(
    ([name]) => ['PATH', 'HOME', 'LANG', 'LC_ALL'].includes(name)
                || /^(ASAN|UBSAN)_OPTIONS$/.test(name)));


/* Runs the replicator to its end: {code, output}. */
function replicator(args, env = {}) {
    const ran = spawnSync(PROGRAM, args, { env: { ...CLEAN, ...env },
                                           encoding: 'utf8',
                                           timeout: 3 * LIMIT });

    assert.equal(ran.error, undefined);
    return { code: ran.status, output: ran.stdout + ran.stderr };
}


describe('a wrong value', () => {
    const wrong = {
        DATABASE_URL: 'nonsense', HOSTNAME: 'postgres://db', DBPORT: '0',
        DBUSERNAME: 'u'.repeat(64), DATABASE: 'a\tb', SLOT: 'My-Slot',
        POOL_SIZE: 'many', MAX_CONCURRENCY: '-1', BATCH_SIZE: '1.5',
        CHUNK_SIZE: '0', FLUSH_INTERVAL: '1h', ENABLE_POSTGRES: 'perhaps',
        KAIROS_CREATE_SLOT: '2', KAIROS_SOCKET: '/'.repeat(200),
        KAIROS_LOG_LEVEL: 'loud', KAIROS_STATEMENT_TIMEOUT: '5',
        KAIROS_REGISTER_WAIT: 'x', KAIROS_ROUTE_GRACE: '48h',
        KAIROS_SNAPSHOT_MAX: '1', KAIROS_BACKLOG_MAX: 'k',
        KAIROS_BACKLOG_TOTAL: '-1', KAIROS_EXACT: 'sometimes',
    };

    for (const [name, value] of Object.entries(wrong)) {
        test(`of ${name} is named before anything starts`, () => {
            const { code, output } = replicator([], {
                KAIROS_SOCKET: '/nonexistent/socket',
                ...name == 'HOSTNAME' ? { DATABASE: 'app' } : {},
                [name]: value });

            assert.equal(code, 2, output);
            assert.match(output, new RegExp(
                `^kairos-replicator: cannot take ${name}\\b.*\n$`));
        });
    }

    test('of the variables for nginx is nginx\'s affair', () => {
        assert.deepEqual(replicator(['--test'], {
            AUTH_ENABLED: 'x', AUTH_SECRET: '', CORS_ORIGINS: ';',
            WEBSOCKET_ORIGINS: ';' }),
            { code: 0, output: 'the settings are good\n' });
    });
});


describe('docs/environment.md', () => {
    test('has every setting, with its option and its default', () => {
        const { output } = replicator(['--help']);
        const page = readFileSync(join(ROOT, 'docs/environment.md'), 'utf8');
        const settings = [...output.matchAll(
            /^ {2}(--[a-z-]+)[^\n]*, ([A-Z_]+)\n((?: {6}.*\n)+)/gm)];

        assert.ok(settings.length >= 20);

        for (const [, option, name, text] of settings) {
            const row = page.split('\n').find(
                (line) => line.startsWith(`| \`${name}\` | \`${option}\``));
            const dflt = /default: (.*)/.exec(text)?.[1];

            assert.ok(row, `${name}, ${option}`);
            assert.ok(dflt == null || row.includes(`| \`${dflt}\``), name);
        }

        for (const name of ['AUTH_ENABLED', 'AUTH_SECRET', 'CORS_ORIGINS',
                            'WEBSOCKET_ORIGINS'])
        {
            assert.ok(page.includes(`\n| \`${name}\` | \`kairos_`), name);
        }
    });
});


describe('the database', () => {
    let postgres, database, dir;

    before(async () => {
        postgres = await sharedCluster();
        database = await postgres.createDatabase();
        dir = mkdtempSync(join(tmpdir(), 'kairos-settings-'));
    });

    after(() => rmSync(dir, { recursive: true, force: true }));

    const check = (env, args = []) => replicator(['--check', ...args], {
        KAIROS_SOCKET: join(dir, 'socket'), ...env });

    /* the line that tells where it went */
    function goesTo(env, what = '127.0.0.1', args) {
        const { code, output } = check(env, args);

        assert.equal(code, 0, output);
        assert.match(output, new RegExp(
            `connected to the database "${database}" at ${what}, port `
            + `${postgres.port}, as "postgres"`));
    }

    const parts = () => ({ HOSTNAME: '127.0.0.1', DBPORT: `${postgres.port}`,
                           DBUSERNAME: 'postgres', DATABASE: database });

    const last = () => ({ PGHOST: '127.0.0.1', PGPORT: `${postgres.port}`,
                          PGUSER: 'postgres', PGDATABASE: database });

    test('is that of the parts', () => goesTo(parts()));

    test('is that of libpq\'s variables, as a last resort', () => {
        goesTo(last());
        goesTo({ ...last(), PGDATABASE: 'other', PGPORT: '1', ...parts() });
    });

    test('is that of the URL, whatever the parts say', () => {
        goesTo({ HOSTNAME: '192.0.2.1', DBPORT: '1', DBUSERNAME: 'x',
                 DATABASE: 'x', DATABASE_URL: postgres.url(database) });
    });

    test('is that of an option, whatever the variables say', () => {
        goesTo({ DATABASE_URL: 'postgres://x@192.0.2.1/x' }, '127.0.0.1',
               ['--database-url', postgres.url(database)]);
        goesTo({ ...parts(), DATABASE: 'x' }, '127.0.0.1',
               ['--database', database]);
    });

    test('is not where a container calls itself', () => {
        goesTo({ ...last(), HOSTNAME: hostname(), DATABASE: database });
        goesTo({ ...last(), HOSTNAME: '3f1b2c4d5e6f' });
    });

    test('gets the password', async (t) => {
        const hba = join(postgres.dir, 'data/pg_hba.conf');
        const rules = readFileSync(hba, 'utf8');
        const admin = postgres.client(database);
        const password = `it's a \\ "secret" %41 =`;

        await admin.connect();
        t.after(async () => {
            writeFileSync(hba, rules);
            await admin.query('select pg_reload_conf()');
            await admin.end();
        });

        await admin.query('create role guarded login superuser password '
                          + admin.escapeLiteral(password));
        writeFileSync(hba, 'host all guarded 127.0.0.1/32 scram-sha-256\n'
                           + rules);
        await admin.query('select pg_reload_conf()');
        await until(async () => {
            const { rows } = await admin.query(
                "select from pg_hba_file_rules where 'guarded' ="
                + ' any (user_name)');
            return rows.length;
        }, 'pg_hba.conf is read');

        const guarded = { ...parts(), DBUSERNAME: 'guarded' };

        await until(() => check(guarded).code == 1,
                    'the server asks for a password');

        const right = check({ ...guarded, PASSWORD: password });
        const wrong = check({ ...guarded, PASSWORD: 'no secret' });

        assert.equal(right.code, 0, right.output);
        assert.equal(wrong.code, 1);
        assert.match(wrong.output, /password authentication failed/);
        assert.doesNotMatch(right.output + wrong.output, /secret/);
    });

    test('is not asked for if ENABLE_POSTGRES is false', () => {
        const { code, output } = replicator([], {
            ENABLE_POSTGRES: 'false', KAIROS_SOCKET: '/nonexistent/socket' });

        assert.equal(code, 0);
        assert.match(output, /ENABLE_POSTGRES is false, there is nothing to/);
    });
});


describe('the replicator', () => {
    let stack;

    const setup = `create table posts (id int primary key, userid int);
                   alter table posts replica identity full`;

    afterEach(async () => {
        await stack?.stop();
        stack = null;
    });

    /* How many of its connections wait for a lock. */
    async function waiting() {
        const [{ n }] = await stack.sql(
            'select count(*) as n from pg_stat_activity where application_name'
            + " = 'kairos-replicator' and datname = current_database()"
            + " and wait_event_type = 'Lock'");

        return Number(n);
    }

    async function connections() {
        const [{ n }] = await stack.sql(
            'select count(*) as n from pg_stat_activity where application_name'
            + " = 'kairos-replicator' and datname = current_database()"
            + " and backend_type = 'client backend'");

        return Number(n);
    }

    for (const [pool, jobs, expected] of [[4, 2, 2], [3, 40, 3], [1, 5, 1]]) {
        test(`runs ${expected} jobs at once with POOL_SIZE=${pool} and`
             + ` MAX_CONCURRENCY=${jobs}`, async () => {
            stack = await startStack({ setup, workers: 1, env: {
                POOL_SIZE: `${pool}`, MAX_CONCURRENCY: `${jobs}` } });

            const c = await Client.connect(stack.base);
            const holder = await stack.pool.connect();

            await c.join('room');

            /* what the catalog says of the table is known from here on */
            const first = await c.call('room', 'subscribe',
                                       subscription('posts', 'userid', 0));

            assert.equal(first.status, 'ok');

            await holder.query('begin; lock table posts in access exclusive'
                               + ' mode');

            const replies = [];

            for (let i = 1; i <= 6; i++) {
                replies.push(c.call('room', 'subscribe',
                                    subscription('posts', 'userid', i)));
            }

            await until(async () => await waiting() == expected,
                        `${expected} jobs wait for the table`);
            assert.ok(await connections() <= expected);

            await holder.query('rollback');
            holder.release();

            for (const reply of await Promise.all(replies)) {
                assert.equal(reply.status, 'ok');
            }

            assert.ok(await connections() <= expected);
            await c.close();
        });
    }

    test('sends CHUNK_SIZE rows in an event, at most', async () => {
        stack = await startStack({ setup, workers: 1, env: {
            CHUNK_SIZE: '2', BATCH_SIZE: '3' } });

        const live = await Live.open(stack.base, 'posts', 'userid', 7);

        await stack.sql('insert into posts select i, 7 from'
                        + ' generate_series(1, 7) i');

        const sizes = [];

        while (live.rows.size < 7) {
            sizes.push((await live.next()).length);
        }

        /* batches of 3, 3 and 1 rows */
        assert.deepEqual(sizes, [2, 1, 2, 1, 1]);
        await live.close();
    });

    test('gathers for FLUSH_INTERVAL', async () => {
        stack = await startStack({ setup, workers: 1, env: {
            FLUSH_INTERVAL: '700', BATCH_SIZE: '4' } });

        const live = await Live.open(stack.base, 'posts', 'userid', 7);
        const began = performance.now();

        /* a transaction each */
        for (let i = 1; i <= 3; i++) {
            await stack.sql(`insert into posts values (${i}, 7)`);
        }

        const rows = await live.next();
        const took = performance.now() - began;

        assert.deepEqual(rows.map((row) => row.id), [1, 2, 3]);
        assert.ok(took >= 690, `it took ${took} ms`);
        await live.close();
    });

    test('does not gather more than BATCH_SIZE for it', async () => {
        stack = await startStack({ setup, workers: 1, env: {
            FLUSH_INTERVAL: '10s', BATCH_SIZE: '3' } });

        const live = await Live.open(stack.base, 'posts', 'userid', 7);
        const began = performance.now();

        for (let i = 1; i <= 3; i++) {
            await stack.sql(`insert into posts values (${i}, 7)`);
        }

        const rows = await live.next();

        assert.equal(rows.length, 3);
        assert.ok(performance.now() - began < 9000);
        await live.close();
    });

    /* the SDK cannot say "exact" */
    test('keeps every window with KAIROS_EXACT', async () => {
        stack = await startStack({ setup, workers: 1, env: {
            KAIROS_EXACT: 'on' } });

        const query = 'select id from posts order by id desc limit 2';

        await stack.sql('insert into posts values (1, 7), (2, 7), (3, 7)');

        for (const more of [{ query }, { query, exact: false }]) {
            const live = await Live.open(stack.base, 'posts', 'userid', 7,
                                         more);

            assert.deepEqual([...live.rows.keys()], ['3', '2']);
            await stack.sql('insert into posts values (4, 7)');
            assert.deepEqual(await live.next(), [
                { id: 2, database_op: 'delete' },
                { id: 4, database_op: 'insert' }]);
            await stack.sql('delete from posts where id = 4');
            assert.deepEqual(await live.next(), [
                { id: 4, database_op: 'delete' },
                { id: 2, database_op: 'insert' }]);
            await live.close();
        }
    });

    test('ends a query after KAIROS_STATEMENT_TIMEOUT', async () => {
        stack = await startStack({ workers: 1, setup: `${setup};
            insert into posts values (1, 7);
            create function slow(int) returns int immutable language plpgsql
                as 'begin perform pg_sleep(60); return $1; end'`,
            env: { KAIROS_STATEMENT_TIMEOUT: '100ms' } });

        await assert.rejects(
            Live.open(stack.base, 'posts', 'userid', 7,
                      { query: 'select id, slow(id) from posts' }),
            /the query failed: canceling statement due to statement timeout/);
    });

    test('gives no snapshot above KAIROS_SNAPSHOT_MAX, and of a larger row'
         + ' its key', async () => {
        stack = await startStack({ workers: 1, setup: `
            create table texts (a int, b text, userid int, body text,
                                primary key (a, b));
            alter table texts replica identity full`,
            env: { KAIROS_SNAPSHOT_MAX: '64k' } });

        const open = (more) => Live.open(stack.base, 'texts', 'userid', 7,
                                         { pk: 'a,b', ...more });
        const row = "1, 'k\"', 7";
        const live = await open();
        const whole = await open({ exact: true, query: 'select * from texts'
                                                       + ' order by a limit 5' });
        const gone = whole.client.event(whole.topic, 'phx_error');

        await stack.sql(`insert into texts values (${row},`
                        + " repeat('x', 70000)), (2, '', 7, 'short')");
        assert.deepEqual([...await live.next(), ...await live.next()], [
            { id: [1, 'k"'], a: 1, b: 'k"', error: 'the row is too large',
              database_op: 'insert' },
            { a: 2, b: '', userid: 7, body: 'short',
              database_op: 'insert' }]);
        assert.match((await gone).reason, /rows are larger than 65536 bytes/);

        for (const more of [{}, { exact: true }]) {
            await assert.rejects(
                open(more), /the rows are larger than 65536 bytes: use LIMIT/);
        }

        await stack.sql("update texts set body = 'less' where a = 1");
        assert.deepEqual(await live.next(), [
            { a: 1, b: 'k"', userid: 7, body: 'less',
              database_op: 'update' }]);
        await live.close();
        await whole.close();
    });

    test('keeps no more than KAIROS_BACKLOG_MAX for who joins late',
         async () => {
        stack = await startStack({ workers: 1, setup: `
            create table texts (id int primary key, userid int, body text);
            alter table texts replica identity full`,
            env: { KAIROS_BACKLOG_MAX: '64k' } });

        const open = (join) => Live.open(stack.base, 'texts', 'userid', 7, {},
                                         join);
        const lives = [await open(false), await open(false)];
        const witness = await open(true);
        const insert = async (id) => {
            await stack.sql('insert into texts values ($1, 7, repeat($2,'
                            + ' 20000))', [id, 'x']);
            await witness.next();
        };

        await insert(1);
        await insert(2);
        await lives[0].join();
        assert.equal((await lives[0].next())[0].id, 1);
        assert.equal((await lives[0].next())[0].id, 2);

        await insert(3);
        await insert(4);
        await assert.rejects(lives[1].join(), /subscribe again/);
        assert.equal((await lives[1].subscribe()).status, 'ok');
        assert.equal(lives[1].rows.size, 4);

        for (const live of [...lives, witness]) {
            await live.close();
        }
    });

    test('gives the socket to KAIROS_SOCKET_GROUP', {
        skip: !IS_ROOT && 'who is not root has no other group to give',
    }, async () => {
        const dir = mkdtempSync(join(tmpdir(), 'kairos-group-'));
        const socket = join(dir, 'socket');
        const group = readFileSync('/etc/group', 'utf8').split('\n')
                      .map((line) => line.split(':'))
                      .find(([name, , id]) => name && Number(id) > 0);
        const env = { ...CLEAN, DATABASE_URL: 'postgres://127.0.0.1:1/x',
                      KAIROS_SOCKET: socket };
        const given = start(PROGRAM, [], { env: {
            ...env, KAIROS_SOCKET_GROUP: group[0] } });

        try {
            await until(() => given.exited || existsSync(socket),
                        'the socket is there');
            assert.equal(given.exited, false, given.output);

            const { gid, mode } = statSync(socket);

            assert.equal(gid, Number(group[2]));
            assert.equal(mode & 0o777, 0o660);

        } finally {
            await given.kill('SIGTERM');
            rmSync(dir, { recursive: true });
        }

        const { code, output } = replicator([], {
            ...env, KAIROS_SOCKET: '/tmp/socket', KAIROS_SOCKET_GROUP: 'a b' });

        assert.equal(code, 1);
        assert.match(output, /there is no group "a b", see KAIROS_SOCKET_GROU/);
    });
});


describe('docker/configure', () => {
    function configure(env = {}) {
        const ran = spawnSync(join(ROOT, 'docker/configure'), {
            env: { ...CLEAN, ...env }, encoding: 'utf8', timeout: LIMIT });

        return { code: ran.status, out: ran.stdout, err: ran.stderr };
    }

    /* Lines of the location, without their blanks. */
    function location(env) {
        const { code, out, err } = configure(env);

        assert.equal(code, 0, err);
        return /location \/realtime \{\n([^}]*)\}/.exec(out)[1].split('\n')
               .map((line) => line.trim()).filter(Boolean);
    }

    test('makes a pub/sub server of nothing', () => {
        const { out } = configure();

        assert.match(out, /^ +listen 4000;$/m);
        assert.match(out, /^worker_processes auto;$/m);
        assert.deepEqual(location(), ['kairos live;', 'kairos_drain 5s;']);
        assert.deepEqual(location({ ENABLE_POSTGRES: 'false',
                                    AUTH_ENABLED: 'FALSE', AUTH_SECRET: 's',
                                    CORS_ORIGINS: '' }), location());
    });

    test('makes directives of what is set', () => {
        assert.deepEqual(location({
            ENABLE_POSTGRES: 'true', KAIROS_RUN: '/srv/k',
            WEBSOCKET_ORIGINS: 'http://localhost:3000,https://app.example',
            CORS_ORIGINS: ' https://*.example.com , http://[::1]:80,,\n*.a:1',
            AUTH_ENABLED: 'True', AUTH_SECRET: 'it"s; a } secret' }), [
            'kairos live;',
            'kairos_replicator unix:/srv/k/replicator.sock;',
            'kairos_origins http://localhost:3000 https://app.example;',
            'kairos_cors_origins https://*.example.com http://[::1]:80'
            + ' *.a:1;',
            'kairos_auth on;',
            'kairos_auth_secret env:AUTH_SECRET;',
            'kairos_drain 5s;' ]);

        const { out } = configure({ PORT: '08080', KAIROS_WORKERS: '3',
                                    KAIROS_MODULE: '/x/m.so' });

        assert.match(out, /^ +listen 8080;$/m);
        assert.match(out, /^worker_processes 3;$/m);
        assert.match(out, /^load_module \/x\/m\.so;$/m);
    });

    test('reads no secret but has nginx read the file', (t) => {
        const dir = mkdtempSync(join(tmpdir(), 'kairos-secret-'));
        const file = join(dir, 'secret');

        t.after(() => rmSync(dir, { recursive: true }));
        writeFileSync(file, 'top');

        const lines = location({ AUTH_ENABLED: '1', AUTH_SECRET_FILE: file });

        assert.ok(lines.includes(`kairos_auth_secret file:${file};`));
        assert.doesNotMatch(lines.join(), /top/);
    });

    const wrong = [
        [{ PORT: '0' }, /cannot take PORT "0": a number from 1 to 65535/],
        [{ PORT: '80;' }, /cannot take PORT "80;"/],
        [{ PORT: '99999999999999999999' }, /cannot take PORT/],
        [{ KAIROS_WORKERS: 'all' }, /cannot take KAIROS_WORKERS "all"/],
        [{ KAIROS_RUN: 'run' }, /cannot take KAIROS_RUN "run": an absolute/],
        [{ KAIROS_SOCKET: '/a;b' }, /cannot take KAIROS_SOCKET/],
        [{ KAIROS_MODULE: '/a b' }, /cannot take KAIROS_MODULE/],
        [{ ENABLE_POSTGRES: 'maybe' }, /cannot take ENABLE_POSTGRES "maybe"/],
        [{ AUTH_ENABLED: '2' }, /cannot take AUTH_ENABLED "2": true or fals/],
        [{ AUTH_ENABLED: 'true' }, /neither AUTH_SECRET nor AUTH_SECRET_FILE/],
        [{ AUTH_ENABLED: 'true', AUTH_SECRET: 'a', AUTH_SECRET_FILE: '/b' },
         /AUTH_SECRET and AUTH_SECRET_FILE are both set/],
        [{ AUTH_ENABLED: 'true', AUTH_SECRET_FILE: '/nonexistent' },
         /cannot take AUTH_SECRET_FILE "\/nonexistent"/],
        [{ CORS_ORIGINS: 'http://a, b.example' },
         /cannot take CORS_ORIGINS "b.example": origins as/],
        [{ CORS_ORIGINS: 'a.*.b' }, /cannot take CORS_ORIGINS/],
        [{ CORS_ORIGINS: 'http://a;}' }, /cannot take CORS_ORIGINS/],
        [{ CORS_ORIGINS: 'http://a/' }, /cannot take CORS_ORIGINS/],
        [{ WEBSOCKET_ORIGINS: 'http://a b' }, /cannot take WEBSOCKET_ORIGINS/],
        [{ WEBSOCKET_ORIGINS: '$host' }, /cannot take WEBSOCKET_ORIGINS/],
    ];

    for (const [env, expected] of wrong) {
        test(`refuses ${JSON.stringify(env)}`, () => {
            const { code, out, err } = configure(env);

            assert.equal(code, 2);
            assert.equal(out, '');
            assert.match(err, /^configure: .*\n$/);
            assert.match(err, expected);
        });
    }
});


/* A token of HS256. */
function signed(secret, claims) {
    const part = (object) => Buffer.from(JSON.stringify(object))
                             .toString('base64url');
    const body = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;

    return `${body}.${createHmac('sha256', secret).update(body)
                      .digest('base64url')}`;
}


/* A zombie does not run any more. */
function runs(pid) {
    try {
        return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`,
                                                 'utf8'));

    } catch {
        return false;
    }
}


describe('docker/entrypoint', () => {
    let dir, port, postgres, database, started;

    before(async () => {
        postgres = await sharedCluster();
    });

    beforeEach(async () => {
        dir = mkdtempSync(join(tmpdir(), 'kairos-container-'));
        chmodSync(dir, 0o755);
        mkdirSync(join(dir, 'lib'));
        cpSync(join(ROOT, 'docker'), join(dir, 'lib'), { recursive: true });
        port = await freePort();
        database = await postgres.createDatabase();
        started = null;
    });

    afterEach(async () => {
        if (started && !started.exited) {
            await started.kill('SIGTERM', 'the entrypoint', 2 * LIMIT);
        }

        const admin = postgres.client(database);

        await admin.connect();
        await until(async () => {
            const { rows } = await admin.query(
                'select slot_name from pg_replication_slots where database ='
                + ' current_database() and not active');

            for (const { slot_name: slot } of rows) {
                await admin.query('select pg_drop_replication_slot($1)',
                                  [slot]);
            }

            return (await admin.query(
                'select from pg_replication_slots where database ='
                + ' current_database()')).rows.length == 0;
        }, 'the slot is dropped');
        await admin.end();
        rmSync(dir, { recursive: true, force: true });
    });

    /* nginx of a sanitized module needs the libraries preloaded */
    function nginxProgram() {
        if (!process.env.KAIROS_PRELOAD) {
            return NGINX;
        }

        const wrapper = join(dir, 'nginx');

        writeFileSync(wrapper, '#!/bin/sh\n'
                      + `LD_PRELOAD=${process.env.KAIROS_PRELOAD} exec`
                      + ` ${NGINX} "$@"\n`, { mode: 0o755 });
        return wrapper;
    }

    function run(env, args = []) {
        const told = { ...Object.fromEntries(
            Object.keys(process.env).map((name) => [name, undefined])),
            ...CLEAN, PORT: `${port}`, KAIROS_RUN: runDir(),
            KAIROS_USER: USER, KAIROS_NGINX: nginxProgram(),
            KAIROS_REPLICATOR: PROGRAM, KAIROS_MODULE: MODULE,
            KAIROS_WORKERS: '2',
            ASAN_OPTIONS: 'detect_leaks=0:detect_odr_violation=0', ...env };

        started = start(join(dir, 'lib/entrypoint'), args, { env: told });
        return started;
    }

    function runDir() {
        const path = join(dir, 'run');

        if (!IS_ROOT && !existsSync(path)) {
            mkdirSync(path);
        }

        return path;
    }

    const withDatabase = () => ({
        ENABLE_POSTGRES: 'true', HOSTNAME: '127.0.0.1',
        DBPORT: `${postgres.port}`, DBUSERNAME: 'postgres',
        DATABASE: database, SLOT: `${database}_slot`,
        KAIROS_REGISTER_WAIT: '1s' });

    const healthy = () => spawnSync(join(ROOT, 'docker/health'), {
        env: { ...CLEAN, PORT: `${port}` } }).status == 0;

    /* What a wait asks while the entrypoint must live. */
    const alive = (fn) => () => {
        assert.ok(!started.exited, started.output);
        return fn();
    };

    const serves = () => until(alive(healthy), 'the container is healthy',
                               2 * LIMIT, 100);

    const named = (title) => children(started.pid)
                             .find((child) => child.title.includes(title));

    async function ends(code) {
        await within(started.exit, 'the end of the entrypoint', 3 * LIMIT);
        assert.equal(started.code, code, started.output);
    }

    test('serves pub/sub with nginx alone', async () => {
        run({});
        await serves();

        assert.match(started.output, /there is pub\/sub, but no queries/);
        assert.equal(named('kairos-replicator'), undefined);

        const base = `ws://127.0.0.1:${port}/realtime`;
        const c = await Client.connect(base);

        await c.join('room');
        c.push('room', 'hello', { body: 1 });
        assert.deepEqual(await c.event('room', 'hello'), { body: 1 });

        const refused = await c.call('room', 'subscribe',
                                     subscription('posts', 'id', 1));

        assert.match(refused.response.reason, /kairos_replicator is not set/);

        const closed = c.closed;

        process.kill(started.pid, 'SIGTERM');
        await within(closed, 'the client is told goodbye');
        await ends(0);
        assert.equal(healthy(), false);
    });

    test('serves queries of the database of the seed\'s variables',
         async () => {
        const admin = postgres.client(database);

        await admin.connect();
        await admin.query('create table posts (id int primary key,'
                          + ' userid int);'
                          + 'alter table posts replica identity full;'
                          + 'insert into posts values (1, 7)');

        run(withDatabase());
        await serves();
        await until(alive(async () => {
            const { rows } = await admin.query(
                'select from pg_replication_slots where slot_name = $1'
                + ' and active', [`${database}_slot`]);
            return rows.length;
        }), 'the slot is read');

        const live = await Live.open(`ws://127.0.0.1:${port}/realtime`,
                                     'posts', 'userid', 7);

        assert.deepEqual([...live.rows.keys()], ['1']);

        await admin.query('insert into posts values (2, 7)');
        assert.deepEqual((await live.next()).map((row) => row.id), [2]);

        if (IS_ROOT) {
            for (const program of ['nginx', 'kairos-replicator']) {
                const status = readFileSync(
                    `/proc/${named(program).pid}/status`, 'utf8');

                assert.doesNotMatch(status, /^Uid:\s+0\s/m, program);
            }
        }

        live.client.ws.terminate();
        await admin.end();
        process.kill(started.pid, 'SIGTERM');
        await ends(0);
    });

    test('asks for tokens and minds origins', async () => {
        const secret = 'op1VZ8yly2HBAGds9Squaet2TyMsoWJ1LrkAnH3kM7p "{;$x';

        run({ AUTH_ENABLED: 'true', AUTH_SECRET: secret,
              WEBSOCKET_ORIGINS: 'http://a.example,https://*.b.example',
              CORS_ORIGINS: 'http://c.example' });
        await serves();

        const base = `ws://127.0.0.1:${port}/realtime`;
        const token = signed(secret, { device: 'nexus',
                                       exp: Math.floor(Date.now() / 1e3)
                                            + 60 });
        const connect = (query, origin) => Client.connect(base, {
            query: `vsn=2.0.0${query}`, origin });

        await assert.rejects(connect(''), /403/);
        await assert.rejects(connect(`&token=${signed('other', {})}`), /403/);
        await assert.rejects(connect(`&token=${token}`, 'http://evil.example'),
                             /403/);

        for (const origin of ['http://a.example', 'https://x.b.example']) {
            await (await connect(`&token=${token}`, origin)).close();
        }

        const preflight = request({
            port, method: 'OPTIONS', path: '/realtime/auth', headers: {
                'Origin': 'http://c.example',
                'Access-Control-Request-Method': 'POST' } }).end();
        const [answer] = await once(preflight, 'response');

        answer.resume();
        assert.equal(answer.headers['access-control-allow-origin'],
                     'http://c.example');

        const conf = readFileSync(join(dir, 'run/nginx.conf'), 'utf8');

        assert.ok(!(conf + started.output).includes(secret));
    });

    for (const [name, title] of [['nginx', 'nginx: master'],
                                 ['kairos-replicator', 'kairos-replicator']])
    {
        test(`ends when ${name} dies`, async () => {
            run(withDatabase());
            await serves();

            const both = children(started.pid).map((child) => child.pid);
            const workers = children(named('nginx: master').pid)
                            .map((child) => child.pid);

            assert.equal(both.length, 2);
            assert.equal(workers.length, 2);
            process.kill(named(title).pid, 'SIGKILL');
            await ends(137);
            assert.match(started.output, new RegExp(`${name} ended with`));

            for (const pid of both) {
                assert.ok(!existsSync(`/proc/${pid}`));
            }

            await until(() => workers.every((pid) => !runs(pid)),
                        'the workers end');
        });
    }

    test('reloads nginx on SIGHUP', async () => {
        run({});
        await serves();

        const master = named('nginx: master').pid;
        const old = new Set(children(master).map((child) => child.pid));

        assert.equal(old.size, 2);
        process.kill(started.pid, 'SIGHUP');

        await until(alive(() => {
            const now = children(master);

            return now.length == 2 && now.every(({ pid }) => !old.has(pid));
        }), 'new workers serve', 2 * LIMIT);

        assert.equal(named('nginx: master').pid, master);
        process.kill(started.pid, 'SIGQUIT');
        await ends(0);
    });

    const wrong = [
        [{ PORT: 'x' }, /^configure: cannot take PORT "x"/m],
        [{ ENABLE_POSTGRES: 'true', POOL_SIZE: '0' },
         /^kairos-replicator: cannot take POOL_SIZE "0"/m],
        [{ ENABLE_POSTGRES: 'true', PASSWORD: 'a', PASSWORD_FILE: '/b' },
         /PASSWORD and PASSWORD_FILE are both set/],
        [{ DATABASE_URL_FILE: '/nonexistent' },
         /cannot take DATABASE_URL_FILE "\/nonexistent"/],
    ];

    for (const [env, expected] of wrong) {
        test(`starts nothing with ${JSON.stringify(env)}`, async () => {
            run(env);
            await ends(2);
            assert.match(started.output, expected);
            assert.equal(healthy(), false);
            assert.ok(!existsSync(join(dir, 'run/nginx.pid')));
        });
    }

    test('runs a command with the same settings', async () => {
        const file = join(dir, 'url');

        writeFileSync(file, `${postgres.url(database)}\n`);
        run({ DATABASE_URL_FILE: file }, [PROGRAM, '--check']);
        await ends(0);
        assert.match(started.output,
                     new RegExp(`connected to the database "${database}"`));
    });
});


describe('docker/postgres-start', () => {
    /* with doubles of what the image has */
    function run(describes) {
        const dir = mkdtempSync(join(tmpdir(), 'kairos-image-'));
        const double = (name, text) => writeFileSync(
            join(dir, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });

        double('postgres', `printf '${describes}'`);
        double('gosu', 'shift; exec "$@"');
        double('docker-entrypoint.sh', 'printf "%s\\n" "$@"');

        const ran = spawnSync(join(ROOT, 'docker/postgres-start'),
                              ['-c', 'work_mem=1MB'], {
            env: { ...CLEAN, PATH: `${dir}:${CLEAN.PATH}` },
            encoding: 'utf8', timeout: LIMIT });

        rmSync(dir, { recursive: true });
        assert.equal(ran.status, 0, ran.stderr);
        return ran.stdout.trim().split('\n').filter((arg) => arg != '-c');
    }

    const settings = ['postgres', 'wal_level=logical', 'max_wal_senders=10',
                      'max_replication_slots=10',
                      'max_slot_wal_keep_size=10GB'];

    test('sets what logical decoding needs, and what the server knows', () => {
        assert.deepEqual(run('wal_level\\tx\\n'),
                         [...settings, 'work_mem=1MB']);
        assert.deepEqual(run('wal_level\\tx\\noutput_plugin_libraries\\tx\\n'),
                         [...settings, 'output_plugin_libraries=wal2json',
                          'work_mem=1MB']);
    });
});


after(removeCluster);
