/*
 * The SQL of --print-setup, by which DDL is noticed in order with the
 * changes: what it notes, what it leaves alone, and that no DDL fails for it.
 */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { LIMIT, until } from './lib/await.mjs';
import { Live } from './lib/live.mjs';
import { BUILD, startStack } from './lib/stack.mjs';


const SETUP = execFileSync(join(BUILD, 'kairos-replicator'),
                           ['--print-setup'],
                           { env: { PGHOST: 'nowhere', SLOT: '!' },
                             encoding: 'utf8' });
const UNDO = SETUP.match(/To undo it:\n--\n((?:-- {5}.*\n)+)/)[1]
                  .replaceAll(/^--/gm, '');

let stack;

before(async () => {
    stack = await startStack({ workers: 1,
        env: { KAIROS_LOG_LEVEL: 'info' },
        setup: `
        create role keeper login;
        create schema shop authorization keeper;
        set role keeper;
        create table shop.items (id int primary key, f int, v int);
        alter table shop.items replica identity full;
        insert into shop.items values (1, 1, 10);
        reset role;` });

    /* twice: it may be run again */
    await stack.sql(SETUP);
    await stack.sql(SETUP);

    /* the commands that were noted, for tests to read */
    await stack.sql(`
        create table public.noted (n serial, command text);
        create function public.remember() returns trigger language plpgsql
            security definer set search_path = public as
            $$ begin
                insert into noted (command) values (new.command);
                return new;
            end $$;
        create trigger remember after insert on kairos.ddl
            for each row execute function public.remember()`);
});

after(() => stack?.stop());


/* The commands that sql notes, which runs in a session of its own. */
async function notes(sql, role) {
    const client = stack.postgres.client(stack.database);
    const warnings = [];

    client.on('notice', ({ severity, message }) => {
        if (severity == 'WARNING') {
            warnings.push(message);
        }
    });

    await client.connect();

    try {
        await client.query('truncate noted');

        if (role) {
            await client.query(`set session authorization ${role}`);
        }

        await client.query(sql);

        if (role) {
            await client.query('reset session authorization');
        }

        const { rows } = await client.query('select command from noted'
                                            + ' order by n');

        return { warnings, commands: rows.map(({ command }) => command) };

    } finally {
        await client.end();
    }
}


async function follow(t) {
    const live = await Live.open(stack.base, 'shop.items', 'f', '1');

    t.after(() => live.client.ws.terminate());
    return live;
}


/* The route was reset for a reason that matches; a subscribe serves on. */
async function noticed(live, pattern) {
    const { reason } = await live.client.event(live.topic, 'phx_error', null,
                                               2 * LIMIT);

    assert.match(reason, pattern);
    assert.equal((await live.subscribe()).status, 'ok');
    await live.join();
    await live.converges('select * from shop.items where f = 1', stack);
}


function looks() {
    return stack.replicator.output().split('DDL was noticed, ').length - 1;
}


test('an owner alters and inserts in one transaction, and after it',
     async (t) => {
    const live = await follow(t);

    const { commands, warnings } = await notes(`
        begin;
        insert into shop.items values (2, 1, 20);
        alter table shop.items alter v type numeric using v + 0.5;
        insert into shop.items values (3, 1, 30);
        commit;
        insert into shop.items values (4, 1, 40)`, 'keeper');

    assert.deepEqual(warnings, []);
    assert.deepEqual([...new Set(commands)], ['ALTER TABLE']);
    await noticed(live, /altered/);
    await until(looks, 'the shapes are compared');
    assert.match(stack.replicator.output(),
                 /DDL was noticed, [1-9]\d* tables are looked at/);
});


test('each alteration begins a look of its own', async (t) => {
    const live = await follow(t);

    for (let i = 0; i < 5; i++) {
        const before = looks();

        await stack.sql(`alter table shop.items alter v type
                         ${i % 2 ? 'numeric' : 'float8'}`);
        await noticed(live, /altered/);
        await until(() => looks() > before, 'the shapes are compared');
    }
});


describe('what is noted', () => {
    for (const [sql, ...expected] of [
        ['create table shop.more (id int)', 'CREATE TABLE'],
        ['alter table shop.more add x int', 'ALTER TABLE'],
        ['create unique index more_x on shop.more (x)', 'CREATE INDEX'],
        ['drop index shop.more_x', 'DROP INDEX'],
        ['create index concurrently more_y on shop.more (x)', 'CREATE INDEX'],
        ['drop index concurrently shop.more_y', 'DROP INDEX'],
        ['create table shop.parts (id int) partition by range (id); '
         + 'create table shop.part partition of shop.parts default',
         'CREATE TABLE'],
        ['alter table shop.parts detach partition shop.part', 'ALTER TABLE'],
        ['drop table shop.parts, shop.part', 'DROP TABLE'],
        ['create materialized view shop.seen as select * from shop.items',
         'CREATE MATERIALIZED VIEW'],
        ['refresh materialized view shop.seen'],
        ['reindex table shop.items'],
        ['drop materialized view shop.seen', 'DROP MATERIALIZED VIEW'],
        ['grant select on shop.more to public', 'GRANT'],
        ['create policy p on shop.more', 'CREATE POLICY'],
        ['drop table shop.more', 'DROP TABLE'],
        ['create type shop.mood as enum (\'a\')', 'CREATE TYPE'],
        ['alter type shop.mood add value \'b\'', 'ALTER TYPE'],
        ['drop type shop.mood', 'DROP TYPE'],
        ['create temp table mine (id int primary key); '
         + 'alter table mine add x int; create index on mine (x); '
         + 'create table pg_temp.too as select 1 as a; '
         + 'alter table mine drop x; drop table mine, too'],
        ['create temp table brief (id serial) on commit drop'],
        ['insert into shop.items values (90, 2, 1); '
         + 'delete from shop.items where id = 90; analyze shop.items'],
    ]) {
        test(sql.slice(0, 60), async () => {
            const { commands, warnings } = await notes(sql, 'keeper');

            assert.deepEqual(warnings, []);
            assert.deepEqual([...new Set(commands)], expected);
        });
    }

    test('the table of notes stays empty', async () => {
        assert.deepEqual(await stack.sql('select * from kairos.ddl'), []);
    });
});


describe('no harm', () => {
    test('a role cannot write notes', async () => {
        await assert.rejects(notes('insert into kairos.ddl values (1)',
                                   'keeper'), /permission denied/);
    });

    test('DDL goes on if a note cannot be written', async () => {
        await stack.sql('alter table kairos.ddl rename to lost');

        const { warnings } = await notes('alter table shop.items add w int',
                                         'keeper');

        assert.match(warnings.join('\n'), /kairos could not note ALTER TABLE/);

        await stack.sql('alter table kairos.lost rename to ddl');

        const { commands } = await notes('alter table shop.items drop w',
                                         'keeper');

        assert.deepEqual([...new Set(commands)], ['ALTER TABLE']);
    });

    test('of a publication of all tables', async () => {
        await stack.sql('create publication everything for all tables');

        const { commands, warnings } = await notes(
            'alter table shop.items add w int; '
            + 'alter table shop.items drop w', 'keeper');

        assert.deepEqual(warnings, []);
        assert.ok(commands.length >= 2);
        await stack.sql('drop publication everything');
    });

    test('of serializable transactions side by side', async (t) => {
        const clients = [0, 1].map(() => {
            return stack.postgres.client(stack.database);
        });

        for (const client of clients) {
            await client.connect();
            t.after(() => client.end());
            await client.query('begin isolation level serializable');
            await client.query('select 1');
        }

        for (const [i, client] of clients.entries()) {
            await client.query(`create table shop.s${i} (id int)`);
        }

        for (const client of clients) {
            await client.query('commit');
        }

        await stack.sql('drop table shop.s0, shop.s1');
    });

    test('the undo leaves nothing, and the setup comes back', async () => {
        await stack.sql('drop trigger remember on kairos.ddl');
        await stack.sql(UNDO);
        assert.deepEqual(await stack.sql(
            'select nspname from pg_namespace where nspname = \'kairos\''
            + ' union all select evtname from pg_event_trigger'), []);
        await stack.sql('alter table shop.items add w int');
        await stack.sql(SETUP);
        await stack.sql('alter table shop.items drop w');
    });
});


test('the setup refuses a schema of another role', async (t) => {
    const database = await stack.postgres.createDatabase();
    const client = stack.postgres.client(database);

    await client.connect();
    t.after(() => client.end());

    await client.query('create schema kairos authorization keeper');
    await assert.rejects(client.query(SETUP), /role keeper owns the schema/);
    await client.query('rollback; drop schema kairos; create schema kairos; '
                       + 'create table kairos.ddl (command text); '
                       + 'alter table kairos.ddl owner to keeper');
    await assert.rejects(client.query(SETUP), /role keeper owns the schema/);
});


test('--check says whether it is there', async () => {
    const check = () => {
        try {
            return execFileSync(join(BUILD, 'kairos-replicator'), ['--check'],
                                { encoding: 'utf8', env: {
                DATABASE_URL: stack.databaseUrl, SLOT: stack.slot,
                KAIROS_SOCKET: stack.socket } });

        } catch ({ stdout }) {
            return stdout;
        }
    };

    assert.match(check(), /^good +altered tables are noticed at once$/m);

    await stack.sql('alter event trigger kairos_drop disable');
    assert.match(check(), /^note +altered tables .* are disabled$/m);

    await stack.sql(UNDO);
    assert.match(check(), /^note +altered tables .* are not installed$/m);
});
