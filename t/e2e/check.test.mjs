/*
 * kairos-replicator --check: what it says of good and of bad databases.
 */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync,
         writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test }
    from 'node:test';

import pg from 'pg';

import { LIMIT, until, within } from './lib/await.mjs';
import { removeCluster, sharedCluster } from './lib/postgres.mjs';
import { IS_ROOT, start, uidOf } from './lib/processes.mjs';
import { BUILD } from './lib/stack.mjs';


const PROGRAM = join(BUILD, 'kairos-replicator');
const USER = 'nobody';


let postgres, database, dir, admin, held;
let roles = 0;


before(async () => {
    postgres = await sharedCluster();
});

beforeEach(async () => {
    database = await postgres.createDatabase();
    admin = postgres.client(database);
    held = [];

    dir = mkdtempSync(join(tmpdir(), 'kairos-check-'));
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
    for (const process of held) {
        await process.kill('SIGTERM');
    }

    await dropSlots();
    await admin.end();
    rmSync(dir, { recursive: true, force: true });
});


async function dropSlots() {
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
}


/* What a run says: {code, lines, find(regexp)}. */
async function run(args = [], { env, user = 'postgres' } = {}) {
    const ran = start(PROGRAM, args, { user: USER, env: {
        DATABASE_URL: `postgresql://${user}@127.0.0.1:${postgres.port}`
                      + `/${database}`,
        SLOT: 'checked',
        KAIROS_SOCKET: join(dir, 'run/replicator.sock'),
        LC_ALL: 'C.UTF-8',
        ...env,
    } });

    await within(ran.exit, 'the end of the check', 3 * LIMIT);

    const lines = ran.output.split('\n');

    return { code: ran.code, output: ran.output, lines,

             /* the line and the one that mends it */
             find(what) {
                 const i = lines.findIndex((line) => what.test(line));

                 assert.notEqual(i, -1, `${what} is not in:\n${ran.output}`);
                 return `${lines[i]}\n${lines[i + 1]}`;
             } };
}

const check = (args = [], options) => run(['--check', ...args], options);


/* The faults of a check that is not good, each with what mends it. */
async function faults(args, options) {
    const { code, lines, output } = await check(args, options);
    const found = [];

    lines.forEach((line, i) => {
        if (line.startsWith('FAULT')) {
            found.push(line.replace(/^FAULT +/, '')
                       + lines[i + 1].replace(/^ +->/, ' ->'));
        }
    });

    assert.equal(code, found.length ? 1 : 0, output);
    assert.match(output, found.length == 1 ? /\n1 fault\n$/
                 : found.length ? /\n\d+ faults\n$/ : /\nall is well\n$/);
    return found;
}


/* the path of a program of PostgreSQL's */
async function tool(name) {
    const { rows } = await admin.query(
        "select setting from pg_config where name = 'BINDIR'");

    return join(rows[0].setting, name);
}


async function role(options) {
    const name = `checker_${++roles}`;

    await admin.query(`create role ${name} login ${options}`);
    return name;
}


describe('a good database', () => {
    test('is called good, and nothing is left behind', async () => {
        const { code, output, find } = await check();

        assert.equal(code, 0, output);
        assert.match(output, /\nall is well\n$/);
        find(/^good .*connected to the database "kairos_\d+" at 127\.0\.0\.1/);
        find(/^good .*wal_level is "logical"/);
        find(/^good .*the role postgres may replicate/);
        find(/^good .*wal2json is there/);
        find(/^good .*may read 1 of 1 tables/);
        find(/^good .*table public\.posts: pk can be id, .* is FULL/);
        find(/^good .*the clocks .* agree/);
        find(/^good .*the socket .* can be made/);
        find(/^note .*the slot "checked" does not exist: it is made at start/);
        assert.match(find(/^note .*is a superuser/), /CREATE ROLE/);

        await until(async () => {
            const { rows } = await admin.query(
                'select from pg_replication_slots'
                + ' where database = current_database()');

            return rows.length == 0;
        }, 'the temporary slot goes with its connection');

        assert.deepEqual(readdirSync(join(dir, 'run')), []);
    });

    test('is good with a role that may do just what it must', async () => {
        const user = await role('replication');

        await admin.query(`create table secret (id int);
                           grant select on posts to ${user}`);

        const { code, output, find } = await check([], { user });

        assert.equal(code, 0, output);
        find(/^good .*may read 1 of 2 tables/);
        assert.doesNotMatch(output, /superuser|secret/);
    });

    test('tells of a slot that nobody reads', async () => {
        await admin.query("select pg_create_logical_replication_slot("
                          + "'checked', 'wal2json')");

        const { code, output, find } = await check();

        assert.equal(code, 0, output);
        find(/^good .*the slot "checked" is there, and nobody reads it/);
        find(/^good .*"checked" is \d+ bytes behind and keeps .* of WAL/);
    });

    test('is good while a replicator is at work', async () => {
        const replicator = start(PROGRAM, [], { user: USER, env: {
            DATABASE_URL: postgres.url(database), SLOT: 'checked',
            KAIROS_SOCKET: join(dir, 'run/replicator.sock'),
            KAIROS_REGISTER_WAIT: '0' } });

        held.push(replicator);
        await reading(replicator);

        const { code, output, find } = await check();

        assert.equal(code, 0, output);
        find(/^good .*"checked" is read by "kairos-replicator" \(Postgre/);
        find(/^good .*wal2json is at work/);
        find(/^good .*the socket .* is there, a replicator listens/);
    });
});


/* Waits until the slot "checked" has a reader. */
function reading(process) {
    return until(async () => {
        assert.ok(!process.exited, process.output);

        const { rows } = await admin.query(
            "select from pg_replication_slots where slot_name = 'checked'"
            + ' and active');

        return rows.length;
    }, 'the slot is read');
}


/* Allows these plugins, where the server has a list of them: true. */
async function plugins(list) {
    const { rows } = await admin.query('select from pg_settings where name ='
                                       + " 'output_plugin_libraries'");
    if (rows.length == 0) {
        return false;
    }

    await admin.query(`alter system set output_plugin_libraries = ${list}`);
    await admin.query('select pg_reload_conf()');
    await until(async () => {
        const shown = await admin.query('show output_plugin_libraries');

        return shown.rows[0].output_plugin_libraries.replace(/"/g, '')
               == list.replace(/'/g, '');
    }, 'the list of plugins is read');

    return true;
}


describe('wal2json', () => {
    test('that may not be loaded is a fault', async (t) => {
        if (!await plugins('test_decoding')) {
            t.diagnostic('this server loads every plugin');
            return;
        }

        const [only, ...rest] = await faults()
                                      .finally(() => plugins('wal2json'));

        assert.deepEqual(rest, []);
        assert.match(only, /^wal2json .* may not be used .* -> add wal2json /);
    });

    test('that is not installed names its package', async () => {
        const user = await role('replication');
        const [{ n }] = (await admin.query('select current_setting('
                         + "'server_version_num')::int / 10000 as n")).rows;

        await admin.query(`grant select on posts to ${user};
            alter role ${user} set dynamic_library_path = '/nonexistent'`);

        assert.deepEqual(await faults([], { user }), [
            'wal2json could not be tried: could not access file "wal2json":'
            + ' No such file or directory -> install wal2json for PostgreSQL'
            + ` ${n} on its machine (Debian: apt install`
            + ` postgresql-${n}-wal2json)` ]);
    });
});


describe('the clock', () => {
    test('that is wrong is a fault', {
        skip: process.env.KAIROS_SANITIZE && 'sanitizers are loaded first',
    }, async () => {
        const shift = join(dir, 'shift');

        writeFileSync(`${shift}.c`, `
            #include <sys/syscall.h>
            #include <sys/time.h>
            #include <unistd.h>

            int gettimeofday(struct timeval *tv, void *tz)
            {
                int  rc = syscall(SYS_gettimeofday, tv, tz);

                tv->tv_sec += 60;
                return rc;
            }`);
        execFileSync('cc', ['-shared', '-fPIC', '-o', `${shift}.so`,
                            `${shift}.c`]);

        const [only, ...rest] = await faults([], {
            env: { LD_PRELOAD: `${shift}.so` } });

        assert.deepEqual(rest, []);
        assert.match(only, /clock is (59\.9|60\.\d) s ahead of .* -> timedat/);
    });
});


describe('the slot', () => {
    test('that is missing is a fault if it must not be made', async () => {
        assert.deepEqual(await faults(['--no-create-slot']), [
            'the slot "checked" does not exist, and must not be made at start'
            + ' -> SELECT pg_create_logical_replication_slot(\'checked\','
            + ' \'wal2json\');' ]);
    });

    test('is not made by a start that may not', async () => {
        const { code, output } = await run(['--no-create-slot'], {
            env: { KAIROS_REGISTER_WAIT: '0' } });

        assert.equal(code, 1, output);
        assert.match(output, /the slot "checked" does not exist/);
        assert.match(output, /SELECT pg_create_logical_replication_slot/);
    });

    test('that somebody else reads is a fault', async () => {
        await admin.query("select pg_create_logical_replication_slot("
                          + "'checked', 'wal2json')");

        const other = start(await tool('pg_recvlogical'),
                            ['-d', postgres.url(database), '--slot', 'checked',
                             '--start', '-f', '-'], {});

        held.push(other);
        await reading(other);

        const [only, ...rest] = await faults();

        assert.deepEqual(rest, []);
        assert.match(only, new RegExp(
            '"checked" is read by "pg_recvlogical" \\(.*process (\\d+), from'
            + ' 127\\.0\\.0\\.1\\) -> name another slot in SLOT, or SELECT'
            + ' pg_terminate_backend\\(\\1\\);$'));
    });

    test('of another plugin or another database is a fault', async () => {
        await plugins('wal2json, test_decoding');
        await admin.query("select pg_create_logical_replication_slot("
                          + "'checked', 'test_decoding')");
        assert.deepEqual(await faults(), [
            'the slot "checked" has the plugin "test_decoding", not "wal2json"'
            + ' -> name another slot in SLOT, or SELECT'
            + " pg_drop_replication_slot('checked');" ]);

        await admin.query("select pg_drop_replication_slot('checked')");
        await admin.query("select pg_create_logical_replication_slot("
                          + "'checked', 'wal2json')");

        const own = database;

        database = 'postgres';

        try {
            assert.match((await faults())[0],
                         new RegExp(`belongs to the database "${own}" -> `));

        } finally {
            database = own;
        }
    });

    test('of physical replication is a fault', async () => {
        await admin.query("select pg_create_physical_replication_slot("
                          + "'checked')");

        try {
            assert.deepEqual(await faults(), [
                'the slot "checked" is for physical replication -> name'
                + ' another slot in SLOT, or SELECT'
                + " pg_drop_replication_slot('checked');" ]);

        } finally {
            await admin.query("select pg_drop_replication_slot('checked')");
        }
    });

    test('that finds no place is a fault', async () => {
        const { rows: [{ n }] } = await admin.query(
            "select current_setting('max_replication_slots')::int as n");

        for (let i = 0; i < n; i++) {
            await admin.query('select pg_create_logical_replication_slot($1,'
                              + " 'wal2json')", [`taken_${i}`]);
        }

        const [slot, plugin, ...rest] = await faults();

        assert.deepEqual(rest, []);
        assert.match(slot, new RegExp(
            `^the slot "checked" does not exist, and all ${n} are in use`
            + ' -> SELECT pg_drop_replication_slot.* ALTER SYSTEM SET max_r'));
        assert.match(plugin, /^wal2json could not be tried: all replication/);

        /* one that is there needs no other */
        const { code, find, output } = await check([], {
            env: { SLOT: 'taken_0' } });

        assert.equal(code, 0, output);
        find(/^note .*wal2json could not be tried: all replication slots/);
    });

    test('that was invalidated is a fault if none may be made', async () => {
        await admin.query("select pg_create_logical_replication_slot("
                          + "'checked', 'wal2json')");
        await admin.query("alter system set max_slot_wal_keep_size = '1MB'");
        await admin.query('select pg_reload_conf()');

        try {
            await until(async () => {
                await admin.query("select pg_logical_emit_message(false, '',"
                                  + " repeat('x', 1000000))");
                await admin.query('select pg_switch_wal()');
                await admin.query('checkpoint');

                const { rows } = await admin.query(
                    'select from pg_replication_slots'
                    + " where wal_status = 'lost'");

                return rows.length;
            }, 'the slot is lost', 3 * LIMIT);

            const { code, find, output } = await check();

            assert.equal(code, 0, output);
            find(/^note .*the slot "checked" was invalidated.* made anew at/);

            assert.deepEqual(await faults(['--no-create-slot']), [
                'the slot "checked" was invalidated by PostgreSQL'
                + ' (max_slot_wal_keep_size), changes are missing'
                + " -> SELECT pg_drop_replication_slot('checked'); SELECT"
                + " pg_create_logical_replication_slot('checked',"
                + " 'wal2json');" ]);

        } finally {
            await admin.query('alter system reset max_slot_wal_keep_size');
            await admin.query('select pg_reload_conf()');
        }
    });

    test('that waits for an open transaction does not hang', async () => {
        const busy = postgres.client(database);

        await busy.connect();

        try {
            await busy.query('begin');
            await busy.query('select pg_current_xact_id()');

            assert.match((await faults())[0],
                         /is made when .* have ended -> SELECT pid, xact/);

        } finally {
            await busy.end();
        }
    });
});


describe('the role', () => {
    test('without REPLICATION gets the statement that mends it', async () => {
        const user = await role('');

        await admin.query(`grant select on posts to ${user}`);

        const [only, ...rest] = await faults([], { user });

        assert.deepEqual(rest, []);
        assert.match(only, new RegExp('^could not connect for replication: .*'
                     + ` -> ALTER ROLE ${user} REPLICATION;$`));

        await admin.query(`alter role ${user} replication`);
        assert.deepEqual(await faults([], { user }), []);
    });

    test('that may read nothing gets the grant', async () => {
        const user = await role('replication');

        assert.deepEqual(await faults([], { user }), [
            `the role ${user}, and so every client, may read 0 of 1 tables`
            + ` -> GRANT USAGE ON SCHEMA ... TO ${user}; GRANT SELECT ON`
            + ` public.posts, ... TO ${user};` ]);
    });

    test('without a free walsender gets the setting', async () => {
        const { rows: [{ n }] } = await admin.query(
            "select current_setting('max_wal_senders')::int as n");
        const senders = Array.from({ length: n }, () => new pg.Client({
            ...postgres.options(database), replication: 'database' }));

        try {
            await Promise.all(senders.map((sender) => sender.connect()));
            assert.deepEqual(await faults(), [
                'could not connect for replication: connection to server at'
                + ` "127.0.0.1", port ${postgres.port} failed: FATAL:  53300:`
                + ' number of requested standby connections exceeds'
                + ` max_wal_senders (currently ${n}) -> ALTER SYSTEM SET`
                + ' max_wal_senders = 10; (or more than there are), then'
                + ' restart PostgreSQL' ]);

        } finally {
            await Promise.all(senders.map((sender) => sender.end()));
        }

        await until(async () => (await check()).code == 0,
                    'the walsenders are free');
    });

    test('that does not exist, and no server at all, are faults', async () => {
        assert.match((await faults([], { user: 'nobody_at_all' }))[0],
                     /"nobody_at_all" does not exist -> check user and/);
        assert.match((await faults([], { env: {
            DATABASE_URL: 'postgres://127.0.0.1:1/x' } }))[0],
                     /could not connect: .*refused.* -> start PostgreSQL/);
    });
});


describe('a table', () => {
    test('without its old rows, or without a key, is a fault', async () => {
        await admin.query(`
            alter table posts replica identity default;
            create table "No Key" (a int);
            alter table "No Key" replica identity full;
            create table pairs (a int, b int, primary key (a, b));
            create unlogged table fleeting (id int primary key);
            create table other (id int, u text unique not null);
            alter table other replica identity nothing;
            create table parts (id int primary key) partition by hash (id);
            create table parts_0 partition of parts
                for values with (modulus 2, remainder 0);
            create table parts_1 partition of parts
                for values with (modulus 2, remainder 1);
            alter table parts_0 replica identity full;
            create table above (id int primary key);
            create table below (primary key (id)) inherits (above);
            alter table below replica identity full`);

        assert.deepEqual(await faults(), [
            'table public."No Key": there is no primary key, replica identity'
            + ' is FULL -> ALTER TABLE public."No Key" ADD PRIMARY KEY (...);',
            'table public.fleeting: is unlogged, its changes are not in the'
            + ' WAL -> ALTER TABLE public.fleeting SET LOGGED;',
            'table public.other: pk can be u, replica identity is NOTHING:'
            + ' the WAL does not hold the old rows'
            + ' -> ALTER TABLE public.other REPLICA IDENTITY FULL;',
            'table public.pairs: pk can be a, b, replica identity is DEFAULT:'
            + ' the WAL does not hold the old rows'
            + ' -> ALTER TABLE public.pairs REPLICA IDENTITY FULL;',
            'table public.parts_1: pk can be id, replica identity is DEFAULT:'
            + ' the WAL does not hold the old rows'
            + ' -> ALTER TABLE public.parts_1 REPLICA IDENTITY FULL;',
            'table public.posts: pk can be id, replica identity is DEFAULT:'
            + ' the WAL does not hold the old rows -> ALTER TABLE'
            + ' public.posts REPLICA IDENTITY FULL;' ]);

        const { find } = await check();

        find(/^good .*public\.parts: pk can be id, .* of its partitions/);
        find(/^good .*table public\.parts_0: pk can be id/);
        find(/^note .*table public\.above: others inherit from it/);
        find(/^good .*table public\.below: pk can be id/);
    });

    test('that is a partition is read by who may read the whole', async () => {
        const user = await role('replication');

        await admin.query(`
            create table parts (id int primary key) partition by hash (id);
            create table parts_0 partition of parts
                for values with (modulus 1, remainder 0);
            grant select on parts to ${user}`);

        const [only, ...rest] = await faults([], { user });

        assert.deepEqual(rest, []);
        assert.match(only, /^table public\.parts_0: .* IDENTITY FULL;$/);
    });

    test('is good after the statements that mend it', async () => {
        await admin.query(`create table pairs (a int, b int unique not null,
                                               primary key (a, b))`);

        const [fault] = await faults();

        await admin.query(fault.split(' -> ')[1]);
        assert.deepEqual(await faults(), []);
        (await check()).find(/^good .*pairs: pk can be a, b or b, replica/);
    });
});


describe('the socket', () => {
    test('without its folder is a fault', async () => {
        const folder = join(dir, 'none');

        assert.deepEqual(await faults([], { env: {
            KAIROS_SOCKET: `${folder}/replicator.sock` } }), [
            `the socket's folder ${folder}: No such file or directory`
            + ` -> install -d -m 750 -o ${whoami()} ${folder}` ]);
    });

    test('in a folder that cannot be written to is a fault', async (t) => {
        if (!IS_ROOT) {
            chmodSync(join(dir, 'run'), 0o500);
            t.after(() => chmodSync(join(dir, 'run'), 0o700));

        } else {
            chownSync(join(dir, 'run'), 0, 0);
        }

        assert.match((await faults())[0],
                     /run is not writable for \w+: Permission.* -> chown /);
    });

    test('whose place something else takes is a fault', async () => {
        writeFileSync(join(dir, 'run/replicator.sock'), '');
        assert.match((await faults())[0],
                     /sock exists and is not a socket -> remove it/);
    });

    test('in a folder that is none is a fault', async () => {
        writeFileSync(join(dir, 'file'), '');
        assert.deepEqual(await faults([], { env: {
            KAIROS_SOCKET: `${dir}/file/replicator.sock` } }), [
            `the socket's folder ${dir}/file is not a folder`
            + ' -> name another in KAIROS_SOCKET' ]);
    });

    test('of a group of others is a fault', {
        skip: !IS_ROOT && 'who that is not root is a member of is not known',
    }, async () => {
        assert.deepEqual(await faults(['--socket-group', 'daemon']), [
            `${USER} is not a member of the group "daemon" of`
            + ` KAIROS_SOCKET_GROUP -> usermod -aG daemon ${USER}` ]);
    });

    test('of a group that is not there is a fault', async () => {
        assert.match((await faults(['--socket-group', 'no_such_group']))[0],
                     /the group "no_such_group" .* -> groupadd --system/);
    });
});


function whoami() {
    return IS_ROOT ? USER : process.env.USER ?? process.env.LOGNAME;
}


describe('the encoding', () => {
    test('other than UTF8 is a fault', async () => {
        const own = database;

        database = 'latin';
        await admin.query("create database latin encoding 'LATIN1' template"
                          + " template0 lc_collate 'C' lc_ctype 'C'");

        try {
            assert.deepEqual(await faults(), [
                "the database's encoding is LATIN1, not UTF8 -> CREATE"
                + " DATABASE ... ENCODING 'UTF8' TEMPLATE template0;" ]);

        } finally {
            database = own;
            await admin.query('drop database latin with (force)');
        }
    });
});


/* the last: it restarts the cluster */
describe('wal_level', () => {
    test('other than logical gets the statement that mends it', async () => {
        await admin.query("alter system set wal_level = 'replica'");
        await admin.end();
        await postgres.restart();
        admin = postgres.client(database);
        await admin.connect();

        const { find } = await check();

        assert.deepEqual(await faults(), [
            'wal_level is "replica", not "logical" -> ALTER SYSTEM SET'
            + ' wal_level = logical; then restart PostgreSQL' ]);
        find(/^note .*wal2json could not be tried: wal_level is not/);

        const { code, output } = await run([], {
            env: { KAIROS_REGISTER_WAIT: '0' } });

        assert.equal(code, 1, output);
        assert.match(output, /ALTER SYSTEM SET wal_level = logical/);
    });
});


after(removeCluster);
