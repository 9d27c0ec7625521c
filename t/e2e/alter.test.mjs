/*
 * Tables that are altered or dropped while somebody is subscribed: a reset
 * with the reason, or a route that goes on.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import { LIMIT } from './lib/await.mjs';
import { Live } from './lib/live.mjs';
import { startStack } from './lib/stack.mjs';


/* of followed() */
const PARTED = `
    create table T (id int primary key, g int, v int) partition by range (id);
    create table T_1 partition of T for values from (1) to (10);
    create table T_2 partition of T for values from (10) to (20);
    alter table T_1 replica identity full;
    alter table T_2 replica identity full;
    insert into T values (1, 1, 1), (3, 1, 3), (14, 1, 4)`;


let stack, tables = 0;

before(async () => {
    stack = await startStack({ workers: 1 });
});

after(() => stack?.stop());


/* A table with a row, and its subscriber. */
async function subscribed(t, more = {}) {
    const name = `t${++tables}`;

    await stack.sql(`create table ${name} (id int primary key, f int, x text);
                     alter table ${name} replica identity full;
                     insert into ${name} values (1, 1, 'a')`);

    const query = (more.query ?? 'select * from T').replace('T', name);
    const live = await Live.open(stack.base, name, 'f', '1',
                                 { ...more, query });

    t.after(() => live.client.ws.terminate());
    assert.equal(live.rows.size, 1);

    return { name, live };
}


async function reset(live, pattern) {
    const { reason } = await live.client.event(live.topic, 'phx_error', null,
                                               2 * LIMIT);

    assert.match(reason, pattern);
    assert.doesNotMatch(reason, /\n/);
}


test('a column is added: later rows have it', async (t) => {
    const { name, live } = await subscribed(t);

    await stack.sql(`alter table ${name} add y int default 5`);
    await stack.sql(`insert into ${name} values (2, 1, 'b')`);
    assert.deepEqual(await live.next(), [
        { id: 2, f: 1, x: 'b', y: 5, database_op: 'insert' }]);
});


test('a column that the query does not name is dropped', async (t) => {
    const { name, live } = await subscribed(t);

    await stack.sql(`alter table ${name} drop x`);
    await stack.sql(`insert into ${name} values (2, 1)`);
    assert.deepEqual(await live.next(), [
        { id: 2, f: 1, database_op: 'insert' }]);
});


test('a column of the query is dropped', async (t) => {
    const { name, live } = await subscribed(t, { query: 'select id, x from T' });

    await stack.sql(`alter table ${name} drop x`);
    await stack.sql(`insert into ${name} values (2, 1)`);
    await reset(live, /column "x" does not exist/);
    assert.match((await live.subscribe()).response.reason, /"x"/);
});


test('the filter\'s column is dropped', async (t) => {
    const { name, live } = await subscribed(t, { query: 'select id from T' });

    await stack.sql(`alter table ${name} drop f`);
    await stack.sql(`update ${name} set x = 'b'`);
    await reset(live, /altered/);
});


test('the filter\'s column gets another type', async (t) => {
    const { name, live } = await subscribed(t);

    await stack.sql(`alter table ${name} alter f type text using f::text`);
    await stack.sql(`update ${name} set x = 'b'`);
    await reset(live, /altered/);
    assert.equal((await live.subscribe()).status, 'ok');
    await live.join();
    await stack.sql(`update ${name} set x = 'c'`);
    assert.deepEqual((await live.next()).map((r) => r.x), ['c']);
});


test('the key\'s column is renamed', async (t) => {
    const { name, live } = await subscribed(t, { query: 'select x from T' });

    await stack.sql(`alter table ${name} rename id to ident`);
    await stack.sql(`update ${name} set x = 'b'`);
    await reset(live, /subscribe again/);
});


test('the replica identity is set back', async (t) => {
    const { name, live } = await subscribed(t);

    await stack.sql(`alter table ${name} replica identity default`);
    await stack.sql(`update ${name} set x = 'b'`);
    await reset(live, /altered/);
    assert.match((await live.subscribe()).response.reason,
                 /replica identity full/i);
});


test('the table is dropped, and comes again as another', async (t) => {
    const { name, live } = await subscribed(t);

    await stack.sql(`drop table ${name}`);
    await stack.sql(`create table ${name} (id int primary key, g int);
                     alter table ${name} replica identity full;
                     insert into ${name} values (1, 1)`);
    await reset(live, /altered/);
});


test('the table is dropped just after a change', async (t) => {
    const { name, live } = await subscribed(t);

    await stack.sql(`begin; insert into ${name} values (2, 1);
                     drop table ${name}; commit`);
    await reset(live, /does not exist/);
});


/*
 * What no change of the table shows.  The client is served on and holds what
 * the query returns (resolves to null), or the route is reset with a reason
 * that matches; a subscribe then gives the rows, or the reply, which is
 * resolved to, refuses it.
 */
async function aware({ live, query }, pattern, ms = LIMIT) {
    const again = new AbortController();
    const reason = live.client.event(live.topic, 'phx_error', null, ms);
    const served = (async () => {
        while (!again.signal.aborted) {
            live.drain();

            if (live.sorted([...live.rows.values()]) == await rows(query)) {
                return null;
            }

            await delay(50);
        }
    })();

    /* the one that loses ends late, and with nothing to say */
    reason.catch(() => {});
    served.catch(() => {});

    const first = await Promise.race([reason, served]);

    again.abort();

    if (first == null) {
        return null;
    }

    assert.match(first.reason, pattern);

    const reply = await live.subscribe();

    if (reply.status == 'ok') {
        await live.join();
        assert.equal(live.sorted([...live.rows.values()]), await rows(query));
    }

    return reply;

    async function rows(text) {
        const found = await stack.sql(`select row_to_json(q)::text as row
                                       from (${text}) q`);

        return live.sorted(found.map((r) => JSON.parse(r.row)));
    }
}


/* A table x of three rows with the replica identity FULL, and a subscriber. */
async function followed(t, more = {}) {
    const name = `t${++tables}`;

    await stack.sql((more.setup ?? `
        create table T (id int primary key, g int, v int);
        alter table T replica identity full;
        insert into T values (1, 1, 1), (3, 1, 3), (4, 2, 4)`)
        .replaceAll('T', name));

    const text = (more.query ?? 'select * from T').replaceAll('T', name);
    const live = await Live.open(stack.base, name, 'g', '1',
                                 { query: text });

    t.after(() => live.client.ws.terminate());

    return { name, live, query: `${text} where g = 1` };
}


/* The statements with the table's name for T. */
function alter(table, text) {
    return stack.sql(text.replaceAll('T', table.name));
}


test('dropped, renamed, rewritten, and nothing else happens', async (t) => {
    const [dropped, renamed, rewritten, same, shorter, sorted, unkeyed, loose,
           grown]
        = await Promise.all(Array.from({ length: 9 }, () => subscribed(t,
            { query: 'select id, f, x from T' })));

    await stack.sql(`create unique index loose_key on ${loose.name} (x);
                     alter table ${loose.name} alter x set not null;
                     create unique index grown_key on ${grown.name} (id)`);

    /* the sweep sees them as they are */
    await delay(3000);

    await stack.sql(`drop table ${dropped.name}`);
    await stack.sql(`alter table ${renamed.name} rename to other_name`);
    await stack.sql(`alter table ${rewritten.name}
                     alter x type int using length(x)`);
    await stack.sql(`alter table ${same.name}
                     alter x type text using upper(x)`);
    await stack.sql(`alter table ${shorter.name} alter x type varchar(9);
                     alter table ${sorted.name} alter x type text
                     collate "C"`);
    await stack.sql(`alter table ${unkeyed.name}
                     drop constraint ${unkeyed.name}_pkey`);
    await stack.sql(`alter table ${loose.name} alter x drop not null`);

    /* another key of the same columns, one that is new, another file */
    await stack.sql(`alter table ${grown.name} add y int;
                     drop index grown_key;
                     create unique index on ${grown.name} (id, f);
                     alter table ${grown.name} alter f set not null`);

    await Promise.all([
        reset(dropped.live, /dropped or renamed/),
        reset(renamed.live, /dropped or renamed/),
        ...[rewritten, same, shorter, sorted].map(
            ({ live }) => reset(live, /altered/)),
        reset(unkeyed.live, /a key of the table was dropped/),
        reset(loose.live, /a key of the table was dropped/)]);

    assert.match((await unkeyed.live.subscribe()).response.reason,
                 /pk "id" is neither the primary key nor unique/);
    assert.equal((await loose.live.subscribe()).status, 'ok');

    await stack.sql(`vacuum full ${grown.name}`);
    await delay(3000);
    await stack.sql(`insert into ${grown.name} values (2, 1, 'b', 3)`);
    assert.deepEqual(await grown.live.next(), [
        { id: 2, f: 1, x: 'b', database_op: 'insert' }]);
});


test('altered while other tables are subscribed to', async (t) => {
    const table = await followed(t);

    /* more than the time between two sweeps for each, and without an end */
    let done = false;
    const others = (async () => {
        while (!done) {
            await followed(t);
            await delay(1200);
        }
    })();

    try {
        await delay(3000);
        await alter(table, 'alter table T alter v type int using v * 2');
        await aware(table, /altered/);

    } finally {
        done = true;
        await others;
    }
});


test('altered at once after the snapshot', async (t) => {
    const cases = [
        [{}, `begin; drop table T;
              create table T (id int primary key, g int, v int);
              alter table T replica identity full;
              insert into T values (50, 1, 5); commit`, /dropped and made/],
        [{}, 'alter table T alter v type int using v * 2', /altered/],
        [{ query: 'select g, v from T' }, 'alter table T rename id to ident',
         /altered/],
        [{}, 'alter table T drop v', /altered/],
        [{ setup: PARTED }, `alter table T detach partition T_1`,
         /detached or dropped/]
    ];

    /* each waits for the sweep: all at once */
    await Promise.all(cases.map(async ([more, text, pattern]) => {
        const table = await followed(t, more);

        await alter(table, text);

        const reply = await aware(table, pattern);

        if (reply != null && reply.status != 'ok') {
            assert.match(reply.response.reason, /\w/);
        }
    }));
});


test('its changes are not in the WAL any more', async (t) => {
    const cases = [
        [{}, `alter table T replica identity nothing;
              delete from T where id = 1; update T set v = 7`,
         /altered/, /REPLICA IDENTITY FULL/],
        [{ setup: PARTED }, `alter table T_2 replica identity nothing;
              update T set v = 7 where id = 14`,
         /a partition was altered/, /REPLICA IDENTITY FULL/],
        [{ setup: PARTED }, `create table T_3 partition of T
                             for values from (20) to (30);
              alter table T_3 replica identity nothing`,
         /a partition was/, /REPLICA IDENTITY FULL/],
        [{}, 'alter table T set unlogged; insert into T values (9, 1, 9)',
         /altered/, /unlogged/],
        [{ setup: PARTED }, `create unlogged table T_3
                             (like T including constraints including indexes);
              insert into T_3 values (25, 1, 25);
              alter table T attach partition T_3 for values from (20) to (30)`,
         /a partition was a/, /unlogged/],
        [{ setup: PARTED }, `create unlogged table T_3 partition of T
                             for values from (20) to (30);
              insert into T values (25, 1, 25)`,
         /a partition was added/, /unlogged/],
        [{}, `create table T_c () inherits (T);
              insert into T_c values (9, 1, 9)`,
         /another table inherits/, /children that inherit/]
    ];

    await Promise.all(cases.map(async ([more, text, pattern, refusal]) => {
        const table = await followed(t, more);

        await alter(table, text);
        await reset(table.live, new RegExp(`${pattern.source}|`
                                           + refusal.source));
        assert.match((await table.live.subscribe()).response.reason, refusal);
    }));
});


test('columns are added and rewritten in one statement', async (t) => {
    const query = 'select id, g, v from T';

    await Promise.all([{ query }, { query, setup: PARTED }].map(
        async (more) => {
            const table = await followed(t, more);

            await alter(table, `alter table T add extra text,
                                alter v type int using v * 2`);
            await aware(table, /altered/);
        }));
});


test('a type of the table is altered', async (t) => {
    const table = (type) => `
        create type T_m as enum ('a', 'b', 'c');
        create type T_c as (x int, y int);
        create domain T_d as T_m[];
        create table T (id int primary key, g int, v ${type});
        alter table T replica identity full;
        insert into T (id, g) values (1, 1), (3, 1)`;

    const cases = [
        [table('T_m default \'a\''),
         'alter type T_m rename value \'a\' to \'z\''],
        [table('T_d default \'{a,b}\''),
         'alter type T_m rename value \'a\' to \'z\''],
        [`create type T_m as enum ('a', 'b', 'c');
          create type T_r as range (subtype = T_m,
                                    multirange_type_name = T_multi);
          create table T (id int primary key, g int, v T_multi);
          alter table T replica identity full;
          insert into T values (1, 1, '{[a,b]}')`,
         'alter type T_m rename value \'a\' to \'z\''],
        [table('T_c default (1, 2)'),
         'alter type T_c rename attribute x to z'],
        [table('T_c default (1, 2)'), 'alter type T_c drop attribute y'],
        [table('T_c[] default array[(1, 2)]::T_c[]'),
         'alter type T_c add attribute z int']
    ];

    await Promise.all(cases.map(async ([setup, text]) => {
        const followedTable = await followed(t, { setup });

        await alter(followedTable, text);
        await aware(followedTable, /a type of the table/);
    }));
});


test('renamed, changed, and renamed back', async (t) => {
    const table = await followed(t);

    await alter(table, `alter table T rename to T_away`);
    await alter(table, `insert into T_away values (9, 1, 9)`);
    await alter(table, `alter table T_away rename to T`);
    await aware(table, /renamed/);
});


test('altered while the replicator is away', async (t) => {
    const cases = [
        [`begin; drop table T;
          create table T (id int primary key, g int, v int);
          alter table T replica identity full;
          insert into T values (50, 1, 5); commit`, /altered/],
        ['alter table T alter v type int using v * 2', /altered/],
        ['alter table T rename v to w', /altered/]
    ];

    const tables = await Promise.all(cases.map(() => followed(t)));
    const [same, moved] = await Promise.all([followed(t), followed(t)]);

    await stack.replicator.kill();

    for (const [i, [text]] of cases.entries()) {
        await alter(tables[i], text);
    }

    await alter(moved, 'vacuum full T');

    await stack.replicator.start();
    await stack.connected();
    await stack.streaming();

    await Promise.all(tables.map((table, i) => aware(table, cases[i][1],
                                                     2 * LIMIT)));

    for (const { name, live, query } of [same, moved]) {
        await stack.sql(`insert into ${name} values (9, 1, 9)`);
        await live.converges(query, stack);
    }
});


test('a table of the name comes earlier in the search_path', async (t) => {
    const { name, live, query } = await followed(t);

    await stack.sql(`create schema postgres`);

    try {
        /* "$user" is before public */
        await stack.sql(`create table postgres.${name}
                         (id int primary key, g int, v int)`);
        await stack.sql(`update public.${name} set v = v + 1`);
        await live.converges(query.replace(name, `public.${name}`), stack);
        assert.equal(live.rows.size, 2);

    } finally {
        await stack.sql('drop schema postgres cascade');
    }
});


test('a table of a join is dropped, or loses a column', async (t) => {
    await stack.sql('create table other (id int primary key, name text);'
                    + " insert into other values (1, 'n')");

    const query = 'select p.id, o.name from T p'
                  + ' left join other o on o.id = p.f';
    const a = await subscribed(t, { query, pk: 'p.id', alias: 'p',
                                    table_field: 'p.f' });

    await stack.sql('alter table other rename name to label');
    await stack.sql("update other set label = 'm'");
    await reset(a.live, /o.name does not exist/);

    await stack.sql('alter table other rename label to name');

    const b = await subscribed(t, { query, pk: 'p.id', alias: 'p',
                                    table_field: 'p.f' });

    await stack.sql('drop table other');
    await stack.sql(`insert into ${b.name} values (2, 1, 'b')`);
    await reset(b.live, /"public.other" does not exist|dropped or renamed/);
});


/* superusers have all rights, and no row security */
describe('a role that is no superuser', () => {
    const role = `altered_${process.pid}`;
    let other;

    before(async () => {
        other = stack;
        stack = await startStack({ workers: 1, user: role, setup: `
            create role ${role} login replication;
            grant usage on schema public to ${role};
            alter default privileges in schema public
                grant select on tables to ${role}` });
    });

    after(async () => {
        await stack?.stop();
        stack = other;
    });

    test('row security is enabled, its policy is changed', async (t) => {
        const enabled = await followed(t);
        const changed = await followed(t, { setup: `
            create table T (id int primary key, g int, v int);
            alter table T replica identity full;
            alter table T enable row level security;
            create policy T_p on T using (id < 3);
            insert into T values (1, 1, 1), (3, 1, 3)` });

        assert.equal(changed.live.rows.size, 1);

        await alter(enabled, `alter table T enable row level security;
                              create policy T_p on T using (id > 1)`);
        await alter(changed, 'alter policy T_p on T using (id > 1)');

        for (const table of [enabled, changed]) {
            table.query += ' and id > 1';
            await aware(table, /row security/);
            assert.deepEqual([...table.live.rows.values()],
                             [{ id: 3, g: 1, v: 3 }]);
        }
    });

    test('the right to select is taken away', async (t) => {
        const table = await followed(t);

        await alter(table, `revoke select on T from ${role}`);
        await reset(table.live, /rights|may not SELECT/);
        assert.match((await table.live.subscribe()).response.reason,
                     /may not SELECT/);
    });

    test('the right to a column is taken away', async (t) => {
        const setup = `
            create table T (id int primary key, g int, v int);
            alter table T replica identity full;
            revoke select on T from ${role};
            grant select (id, g, v) on T to ${role};
            insert into T values (1, 1, 1), (3, 1, 3)`;
        const table = await followed(t, { setup });

        await alter(table, `revoke select (v) on T from ${role}`);
        await reset(table.live, /altered|permission denied/);
        assert.match((await table.live.subscribe()).response.reason,
                     /permission denied/);
    });
});
