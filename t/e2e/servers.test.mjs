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

        async line(what) {
            const find = () => lines.find((line) => what.test(line));

            await until(() => find() || process.exited,
                        () => `${what} is in:\n${lines.join('\n')}`,
                        3 * LIMIT);
            assert.ok(find(), `${what} is not in:\n${process.output}`);
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


describe('a pooler', () => {
    /* as pgbouncer 1.18 answers, and with "options" passed over */
    for (const refused of [['options', 'replication'], ['replication']]) {
        test(`that refuses ${refused.join(' and ')}`, async (t) => {
            const port = await proxy(t, { startup: (params) => {
                const name = refused.find((key) => params[key]);

                return name && { code: '08P01', message: 'unsupported startup'
                                                + ` parameter: ${name}` };
            } });
            const ADVICE = /name PostgreSQL itself in DATABASE_URL, not a pooler such as pgbouncer/;
            const ran = run(url(port));

            await ran.line(ADVICE);
            assert.equal(await ran.code(), 1);

            const [fault, ...more] = await faults(url(port));

            assert.match(fault, ADVICE);
            assert.deepEqual(more, []);
        });
    }
});


/* The catalog as another version has it, in the test's own database. */
async function catalog(...statements) {
    await admin.query(['set allow_system_table_mods = on', ...statements,
                       'reset allow_system_table_mods'].join(';'));
}


describe('what PostgreSQL 16 and later say', () => {
    /* the message of 15 is another one; PostgreSQL 17 was seen to say this */
    test('"permission denied to start WAL sender" ends the start',
         async (t) => {
        const port = await proxy(t, { startup: (params) => (
            params.replication && {
                code: '42501', message: 'permission denied to start WAL sender',
                detail: 'Only roles with the REPLICATION attribute may start'
                        + ' a WAL sender process.' }) });
        const ran = run(url(port));

        await ran.line(/\[error\].*start WAL sender.*ALTER ROLE \.\.\. REPL/);
        assert.equal(await ran.code(), 1);
    });

    /* invalidation_reason is there from 17 on, idle_timeout from 18 on */
    for (const [reason, cause] of [
        ['wal_removed', 'max_slot_wal_keep_size'],
        ['idle_timeout', 'idle_replication_slot_timeout'],
        ['rows_removed', 'rows that it needs were removed'],
        ['wal_level_insufficient', 'wal_level was too low'],
        ['of_a_later_version', 'of_a_later_version'],
    ]) {
        test(`the slot was invalidated: ${reason}`, async () => {
            await admin.query('select pg_create_logical_replication_slot($1,'
                              + " 'wal2json')", [`${database}_slot`]);

            const { rows: [{ view }] } = await admin.query(
                "select pg_get_viewdef('pg_replication_slots') as view");

            await catalog('create or replace view pg_catalog'
                          + `.pg_replication_slots as select q.*, '${reason}'`
                          + '::text as invalidation_reason from ('
                          + view.replace('l.wal_status', "'lost'::text"
                                                         + ' as wal_status')
                                .replace(';', '') + ') q');

            const check = run(url(postgres.port), ['--check']);

            await check.line(new RegExp('^note .* was invalidated by'
                + ` PostgreSQL \\(${cause}\\), changes are missing;`));
            await check.code();

            const ran = run(url(postgres.port));

            await ran.line(new RegExp('\\[warn\\].* was invalidated by'
                + ` PostgreSQL \\(${cause}\\), changes are missing; creat`));
            await ran.line(/reading the slot/);
        });
    }

    /* 18 has NOT NULL as a constraint, which may be NOT VALID */
    test('a column that may hold old NULLs is no key', async () => {
        await admin.query(
            'create table keyed (u int, v int);'
            + 'alter table keyed replica identity full;'
            + 'insert into keyed values (null, 1);'
            + 'create unique index on keyed (u);'
            + 'alter table keyed add constraint n check (u > 0) not valid');
        await catalog(
            "update pg_constraint set contype = 'n' where conname = 'n'",
            "update pg_attribute set attnotnull = true where attname = 'u'"
            + " and attrelid = 'keyed'::regclass");

        const [fault, ...more] = await faults(url(postgres.port));

        assert.match(fault, /table public\.keyed: there is no primary key/);
        assert.deepEqual(more, []);
    });
});


test('a slot that cannot be made is announced once', async () => {
    const { rows: [{ n }] } = await admin.query(
        "select current_setting('max_replication_slots')::int as n");

    for (let i = 0; i < n; i++) {
        await admin.query('select pg_create_physical_replication_slot($1)',
                          [`taken_${i}`]);
    }

    try {
        const ran = run(url(postgres.port), [], { KAIROS_LOG_LEVEL: 'debug' });

        await until(() => ran.lines(/could not create the slot/).length > 2,
                    'the slot is tried three times', 3 * LIMIT);
        assert.equal(ran.lines(/\[notice\].*creating it/).length, 1);
        await admin.query("select pg_drop_replication_slot('taken_0')");
        await ran.line(/reading the slot/);

    } finally {
        await admin.query('select pg_drop_replication_slot(slot_name)'
                          + " from pg_replication_slots"
                          + " where slot_name like 'taken%'");
    }
});
