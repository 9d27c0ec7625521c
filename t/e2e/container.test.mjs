/*
 * What a container makes of the settings: docker/configure and
 * docker/entrypoint, run without a container.
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync,
         rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test }
    from 'node:test';

import { LIMIT, once, until, within } from './lib/await.mjs';
import { Client, subscription } from './lib/client.mjs';
import { Live } from './lib/live.mjs';
import { removeCluster, sharedCluster } from './lib/postgres.mjs';
import { CLEAN, IS_ROOT, children, freePort, start }
    from './lib/processes.mjs';
import { BUILD, ROOT } from './lib/stack.mjs';


const PROGRAM = join(BUILD, 'kairos-replicator');
const MODULE = join(BUILD, 'ngx_http_kairos_module.so');
const NGINX = process.env.KAIROS_NGINX ?? '/usr/sbin/nginx';
const USER = 'nobody';


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

    function run(env, args = []) {
        const told = { ...Object.fromEntries(
            Object.keys(process.env).map((name) => [name, undefined])),
            ...CLEAN, PORT: `${port}`, KAIROS_RUN: runDir(),
            KAIROS_USER: USER, KAIROS_NGINX: NGINX,
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

        /* nor did one of them miss the other at the start */
        assert.doesNotMatch(started.output, /\[(error|alert)\]/);

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
