/*
 * Servers that are not as those of the other tests: an old wal2json, a
 * standby, a pooler, several hosts.  Whatever this machine's PostgreSQL cannot
 * be is simulated by a proxy before it.
 */

import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync }
    from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test }
    from 'node:test';

import { LIMIT, until, within } from './lib/await.mjs';
import { pgProxy } from './lib/pg-proxy.mjs';
import { removeCluster, sharedCluster } from './lib/postgres.mjs';
import { IS_ROOT, freePort, start, uidOf } from './lib/processes.mjs';
import { BUILD } from './lib/stack.mjs';


const PROGRAM = join(BUILD, 'kairos-replicator');
const USER = 'nobody';

let postgres, standby, database, dir, admin, started;

before(async () => {
    postgres = await sharedCluster();
    standby = await Standby.create(postgres);
});

after(async () => {
    await standby?.remove();
    await removeCluster();
});

beforeEach(async () => {
    started = [];
    database = await postgres.createDatabase();
    admin = postgres.client(database);
    dir = mkdtempSync(join(tmpdir(), 'kairos-servers-'));
    chmodSync(dir, 0o755);
    mkdirSync(join(dir, 'run'));

    if (IS_ROOT) {
        chownSync(join(dir, 'run'), uidOf(USER), -1);
    }

    await admin.connect();
    await admin.query('create table posts (id int primary key, userid int);'
                      + 'alter table posts replica identity full');
});

afterEach(async () => {
    for (const process of started) {
        await process.kill('SIGTERM');
    }

    await until(async () => {
        await admin.query('select pg_drop_replication_slot(slot_name)'
                          + ' from pg_replication_slots'
                          + ' where database = current_database()'
                          + ' and not active');
        const { rows } = await admin.query(
            'select from pg_replication_slots'
            + ' where database = current_database()');
        return rows.length == 0;
    }, 'the slots are dropped');

    await admin.end();
    rmSync(dir, { recursive: true, force: true });
});

/* A standby of the file's cluster, which streams from it: {port}. */
class Standby {
    static async create(primary) {
        const made = new Standby();
        const client = primary.client('postgres');
        const user = 'postgres';

        made.dir = mkdtempSync(join(tmpdir(), 'kairos-standby-'));
        made.port = await freePort();

        if (IS_ROOT) {
            chownSync(made.dir, uidOf(user), -1);
        }

        await client.connect();

        const { rows: [{ bin }] } = await client.query(
            "select setting as bin from pg_config where name = 'BINDIR'");

        await client.end();

        const data = join(made.dir, 'data');
        const backup = start(join(bin, 'pg_basebackup'), [
            '-D', data, '-R', '-X', 'stream', '-c', 'fast', '--no-sync',
            '-h', '127.0.0.1', '-p', `${primary.port}`, '-U', user],
            { user, env: { LC_ALL: 'C.UTF-8' } });

        await within(backup.exit, 'the base backup', 3 * LIMIT);
        assert.equal(backup.code, 0, backup.output);

        let ready;
        const up = new Promise((resolve) => { ready = resolve; });

        made.process = start(join(bin, 'postgres'), [
            '-D', data, '-p', `${made.port}`,
            '-c', 'unix_socket_directories='], {
            user, ends: 'INT', env: { LC_ALL: 'C.UTF-8' },
            onLine: (line) => {
                if (/ready to accept read-only connections/.test(line)) {
                    ready();
                }
            } });

        await within(up, () => `the standby: ${made.process.output}`,
                     3 * LIMIT);
        return made;
    }

    /* Waits until the standby has what the primary has now. */
    async caughtUp(admin) {
        await until(async () => {
            const { rows } = await admin.query(
                'select from pg_stat_replication where replay_lsn'
                + " >= pg_current_wal_lsn() and application_name"
                + " = 'walreceiver'");

            return rows.length;
        }, 'the standby caught up', 3 * LIMIT);
    }

    async remove() {
        if (!this.process.exited) {
            await this.process.kill('SIGQUIT', 'the standby', 3 * LIMIT);
        }

        rmSync(this.dir, { recursive: true, force: true });
    }
}


/* The program with a DATABASE_URL: {line(what), lines(), code(), output}. */
function run(url, args = [], env = {}) {
    const lines = [];
    const process = start(PROGRAM, args, {
        user: USER, onLine: (line) => lines.push(line), env: {
            DATABASE_URL: url, SLOT: `${database}_slot`,
            KAIROS_SOCKET: join(dir, 'run/replicator.sock'),
            KAIROS_REGISTER_WAIT: '0', LC_ALL: 'C.UTF-8', ...env } });

    started.push(process);

    return {
        process,
        lines: (what) => lines.filter((line) => what.test(line)),

        line(what) {
            return until(() => lines.find((line) => what.test(line)),
                         () => `${what} is in:\n${lines.join('\n')}`,
                         3 * LIMIT);
        },

        async code() {
            const { code } = await within(process.exit, 'its end', 3 * LIMIT);

            return code;
        },
    };
}


/* The faults of --check, each with what mends it. */
async function faults(url) {
    const ran = run(url, ['--check']);

    await ran.code();

    const lines = ran.process.output.split('\n');

    return lines.flatMap((line, i) => (
        line.startsWith('FAULT')
        ? [line.replace(/^FAULT +/, '') + lines[i + 1].replace(/^ +->/, ' ->')]
        : []));
}


const url = (port, query = '') => (
    `postgresql://postgres@127.0.0.1:${port}/${database}${query}`);


/* A proxy before PostgreSQL that ends with the test. */
async function proxy(t, hooks) {
    const made = await pgProxy(postgres.port, hooks);

    t.after(made.close);
    return made.port;
}


describe('a wal2json that is too old', () => {
    /* as wal2json 2.3 and 2.4 print rows: without "typeoid" */
    const old = { message: (type, body) => (
        type == 'd' && body[0] == 0x77
        ? Buffer.concat([body.subarray(0, 25), Buffer.from(
            body.toString('latin1', 25).replaceAll(/"typeoid":\d+,/g, ''),
            'latin1')])
        : undefined) };

    test('ends the replicator, which keeps its place', async (t) => {
        const ran = run(url(await proxy(t, old)));

        await ran.line(/reading the slot/);
        await admin.query('insert into posts values (1, 1)');
        await ran.line(/\[error\].*could not read the stream: wal2json is older than 2\.5.*upgrade wal2json to 2\.5 or newer/);
        assert.equal(await ran.code(), 1);

        const { rows } = await admin.query(
            'select data from pg_logical_slot_peek_changes($1, null, null,'
            + " 'format-version', '2')", [`${database}_slot`]);

        assert.ok(rows.some(({ data }) => data.includes('"action":"I"')));
    });

    test('is found by --check, once a row changes', async (t) => {
        const port = await proxy(t, old);

        assert.deepEqual(await faults(url(port)), []);

        /* a row each 50 ms, until the check has ended */
        let n = 0;
        let ended = false;
        const found = faults(url(port)).finally(() => { ended = true; });

        await until(async () => {
            await admin.query('insert into posts values ($1)', [++n]);
            return ended;
        }, 'the check ends', 3 * LIMIT, 50);

        assert.match((await found).join('\n'), /^wal2json is older than 2\.5: it does not print the types of columns -> upgrade wal2json to 2\.5 or newer.*$/);
    });
});


describe('a standby', () => {
    const REFUSAL = /the server is a standby \(it is in recovery\)/;
    const ADVICE = /name the primary in DATABASE_URL, or all hosts of it with target_session_attrs=read-write/;

    test('ends the start', async () => {
        await standby.caughtUp(admin);

        const ran = run(url(standby.port));

        await ran.line(/\[error\].*the server is a standby/);
        assert.equal(await ran.code(), 1);
        assert.match(ran.process.output, REFUSAL);
        assert.match(ran.process.output, ADVICE);
    });

    for (const attrs of ['any', 'standby', 'prefer-standby', 'read-only']) {
        test(`is a fault, with target_session_attrs=${attrs}`, async () => {
            await standby.caughtUp(admin);

            const [fault, ...more] = await faults(
                url(standby.port, `?target_session_attrs=${attrs}`));

            assert.match(fault, REFUSAL);
            assert.match(fault, ADVICE);
            assert.deepEqual(more, []);
        });
    }
});


describe('several hosts', () => {
    /* a port where nobody listens, the standby, the primary */
    async function hosts(query) {
        const ports = [await freePort(), standby.port, postgres.port];

        await standby.caughtUp(admin);
        return `postgresql://postgres@${ports.map((p) => `127.0.0.1:${p}`)}`
               + `/${database}?${query}`;
    }

    for (const attrs of ['read-write', 'primary']) {
        test(`target_session_attrs=${attrs} finds the primary`, async () => {
            const url = await hosts(`target_session_attrs=${attrs}`);

            assert.deepEqual(await faults(url), []);

            const ran = run(url);

            await ran.line(/reading the slot/);

            const { rows } = await admin.query(
                'select active from pg_replication_slots where slot_name = $1',
                [`${database}_slot`]);

            assert.deepEqual(rows, [{ active: true }]);
        });
    }

    test('with one host it is the same', async () => {
        assert.deepEqual(await faults(
            url(postgres.port, '?target_session_attrs=read-write')), []);
    });
});
