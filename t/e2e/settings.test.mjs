/*
 * What the replicator's settings do, and what wrong ones get.
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync,
         writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';

import { LIMIT, until } from './lib/await.mjs';
import { Live } from './lib/live.mjs';
import { removeCluster, sharedCluster } from './lib/postgres.mjs';
import { CLEAN, IS_ROOT, start } from './lib/processes.mjs';
import { BUILD, ROOT, startStack } from './lib/stack.mjs';


const PROGRAM = join(BUILD, 'kairos-replicator');


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
        KAIROS_STUCK_TIME: '1ms', KAIROS_STUCK_WAL: '1k',
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

    test('is tried of every setting that has one', () => {
        const { output } = replicator(['--help']);

        assert.deepEqual([...output.matchAll(/^ {2}--.*, ([A-Z_]+)$/gm)]
                         .map(([, name]) => name).sort(),
                         [...Object.keys(wrong), 'PASSWORD',
                          'KAIROS_SOCKET_GROUP'].sort());
    });

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

    test('is not there: it tells of a HOSTNAME that was not taken', () => {
        const env = { HOSTNAME: 'db.example', PGPORT: '1' };
        const { code, output } = check(env);

        assert.equal(code, 1);
        assert.match(output, new RegExp(
            '\nnote   HOSTNAME "db.example" was not taken for the database\'s'
            + ' host: it counts beside DBUSERNAME, .*\n +-> name the host'));
        assert.doesNotMatch(check({ ...env, PGHOST: '127.0.0.1' }).output,
                            /HOSTNAME/);
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

            const lives = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => {
                return Live.open(stack.base, 'posts', 'userid', 7,
                                 { query: `select id, ${n} as n from posts` });
            }));

            /* of each query a refetch, at once */
            for (let id = 1; id <= 5; id++) {
                await stack.sql('insert into posts values ($1, 7)', [id]);
                await Promise.all(lives.map((live) => live.next()));
            }

            /* the pool opens one when a job needs it, and keeps it */
            await until(async () => await connections() == expected,
                        'the connections are open');

            for (let id = 6; id <= 10; id++) {
                await stack.sql('insert into posts values ($1, 7)', [id]);
                await Promise.all(lives.map((live) => live.next()));
                assert.equal(await connections(), expected);
            }

            await Promise.all(lives.map((live) => live.close()));
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

        /* rows that are fetched, and a query that is run as a whole */

        for (const [user, more] of [[7, {}], [8, {
            exact: true, query: 'select * from posts order by id limit 9' }]])
        {
            const live = await Live.open(stack.base, 'posts', 'userid', user,
                                         more);
            const ids = [1, 2, 3].map((i) => 10 * user + i);
            const began = performance.now();

            /* a transaction each */
            for (const id of ids) {
                await stack.sql('insert into posts values ($1, $2)',
                                [id, user]);
            }

            const rows = await live.next();
            const took = performance.now() - began;

            assert.deepEqual(rows.map((row) => row.id), ids);
            assert.ok(took >= 690, `it took ${took} ms`);
            await live.close();
        }
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
        const whole = await open({
            exact: true, query: 'select * from texts order by a limit 5' });
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
            ...env, KAIROS_SOCKET: '/tmp/socket',
            KAIROS_SOCKET_GROUP: 'a b' });

        assert.equal(code, 1);
        assert.match(output, /there is no group "a b", see KAIROS_SOCKET_GR/);
    });
});


after(removeCluster);
