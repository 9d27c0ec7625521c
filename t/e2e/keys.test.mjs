/*
 * By what rows are told apart: keys of one column and of several, of many
 * types, unique indexes, and what the WAL must hold of the old rows.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Live, Refused } from './lib/live.mjs';
import { startStack } from './lib/stack.mjs';


/* two values of a key of this type, and as what JSON value each comes */
const KEYS = {
    smallint: ['-5', '7', -5, 7],
    integer: ['-5', '2147483647', -5, 2147483647],
    bigint: ['-5', '4503599627370497', -5, 4503599627370497],
    numeric: ['1.50', '2', 1.50, 2],
    real: ['1.5', '0.1', 1.5, 0.1],
    'double precision': ['0.1', '1e-7', 0.1, 1e-7],
    boolean: ['true', 'false', true, false],
    date: ['2024-02-29', 'infinity', '2024-02-29', 'infinity'],
    uuid: ['0B8C3A52-7F0E-4E5C-9A43-2F9B1C5D7E11',
           '00000000-0000-0000-0000-000000000000',
           '0b8c3a52-7f0e-4e5c-9a43-2f9b1c5d7e11',
           '00000000-0000-0000-0000-000000000000'],
    text: ['a "b", \\c {é😀}', '', 'a "b", \\c {é😀}', ''],
    'varchar(20)': ['a,b', 'null', 'a,b', 'null'],
    'char(4)': ['ab', 'abcd', 'ab  ', 'abcd'],
    timestamp: ['2024-02-03 04:05:06.7', '0044-03-15 01:00:00 BC',
                '2024-02-03T04:05:06.7', '0044-03-15T01:00:00 BC'],
    timestamptz: ['2024-02-03 04:05:06+01', 'infinity',
                  '2024-02-03T03:05:06+00:00', 'infinity'],
    time: ['04:05:06', '24:00', '04:05:06', '24:00:00'],
    interval: ['1 day', '-2 mons 3 secs', 'P1D', 'P-2MT3S'],
    bytea: ['\\x00ff', '\\x', '\\x00ff', '\\x'],
    mood: ['sad', 'so so', 'sad', 'so so'],
    macaddr: ['08:00:2b:01:02:03', '08:00:2b:01:02:04',
              '08:00:2b:01:02:03', '08:00:2b:01:02:04'],
    int4range: ['[1,5)', '(,3]', '[1,5)', '(,4)'],
    positive: ['1', '2147483647', 1, 2147483647],
    label: ['x y', 'z', 'x y', 'z'],
    'bit varying(8)': ['101', '0', '101', '0'],
    oid: ['1', '4294967295', '1', '4294967295'],
};

const types = Object.keys(KEYS);

let stack;

before(async () => {
    stack = await startStack({ workers: 2, setup: `
        create type mood as enum ('sad', 'so so');
        create domain positive as int check (value > 0);
        create domain label as text;
        ${types.map((type, i) => `
            create table k${i} (k ${type} primary key, f int, x int);
            alter table k${i} replica identity full;`).join('')}

        create table pairs (a int, b text, f int, x int, primary key (a, b));
        alter table pairs replica identity full;

        create table uniques (id int primary key, code text not null unique,
            a int not null, b int not null, free int unique, part int not null,
            late int not null unique deferrable, low text not null, f int);
        create unique index on uniques (b, a);
        create unique index on uniques (part) where part > 0;
        create unique index on uniques (lower(low));
        alter table uniques replica identity full;

        create table five (a int, b int, c int, d int, e int, f int,
                           primary key (a, b, c, d, e));
        alter table five replica identity full;

        create table keyless (id int, f int);
        alter table keyless replica identity full;
        create table arrays (k int[] primary key, f int);
        alter table arrays replica identity full;
        create table addresses (k inet primary key, f int);
        alter table addresses replica identity full;

        create table plain (id int primary key, f int);
        create table nothing (id int primary key, f int);
        alter table nothing replica identity nothing;
        create table indexed (id int primary key, f int not null);
        create unique index "Indexed by" on indexed (id, f);
        alter table indexed replica identity using index "Indexed by";
        create table "O'Brien's ""own""" (id int primary key, f int);

        create table parted (id int, f int, x int, primary key (id))
            partition by range (id);
        create table parted_1 partition of parted for values from (0) to (10);
        create table parted_2 partition of parted for values from (10) to (20)
            partition by range (id);
        create table parted_3 partition of parted_2 for values
            from (10) to (15);
        create table parted_4 partition of parted_2 for values
            from (15) to (20);
        alter table parted_1 replica identity full;
        alter table parted_3 replica identity full;
        alter table parted_4 replica identity full;

        create table halves (id int, f int, primary key (id))
            partition by range (id);
        create table halves_1 partition of halves for values from (0) to (10);
        create table "Halves 2" partition of halves for values from (10)
            to (20);
        alter table halves_1 replica identity full;

        create table casts (id bigint primary key, g int, b bool not null,
            c char(4) not null, at timestamptz not null, n numeric not null,
            d uuid not null, unique (b, c, at), unique (n), unique (d));
        alter table casts replica identity full;
        create table groups (g int primary key, name text);
        alter table groups replica identity full;
        create type spot as (x int, y text);
        create table shapes (id int primary key, f int, j jsonb, a int[],
                             s spot, c char(4), n numeric);
        alter table shapes replica identity full;

        create table computed (id int primary key, f int,
                               double int generated always as (f * 2) stored);
        alter table computed replica identity full;` });
});

after(() => stack?.stop());


async function open(t, ...args) {
    const live = await Live.open(stack.base, ...args);

    t.after(() => live.client.ws.terminate());
    return live;
}


async function refused(promise, reason) {
    await assert.rejects(promise, (err) => {
        assert.ok(err instanceof Refused, err.stack);
        assert.match(err.message, reason);
        return true;
    });
}


describe('a primary key of type', () => {
    for (const [i, type] of types.entries()) {
        test(type, async (t) => {
            const [one, two, first, second] = KEYS[type];
            const live = await open(t, `k${i}`, 'f', '1', { pk: 'k' });
            const row = (k, x, op) => [{ k, f: 1, x, database_op: op }];

            await stack.sql(`insert into k${i} values ($1, 1, 0)`, [one]);
            assert.deepEqual(await live.next(), row(first, 0, 'insert'));

            await stack.sql(`update k${i} set x = 1`);
            assert.deepEqual(await live.next(), row(first, 1, 'update'));

            /* one goes, one comes */
            await stack.sql(`update k${i} set k = $1`, [two]);

            const rows = [...await live.next(), ...await live.next()];

            assert.deepEqual(rows, [
                { id: first, k: first, database_op: 'delete' },
                ...row(second, 1, 'insert')]);

            await stack.sql(`update k${i} set f = 2`);
            assert.deepEqual(await live.next(), [
                { id: second, k: second, database_op: 'delete' }]);

            await stack.sql(`update k${i} set f = 1`);
            assert.deepEqual(await live.next(), row(second, 1, 'update'));

            await stack.sql(`delete from k${i}`);
            assert.deepEqual(await live.next(), [
                { id: second, k: second, database_op: 'delete' }]);
        });
    }
});


describe('a key of several columns', () => {
    for (const pk of ['a,b', ' b , a ', '"a","b"', 'pairs.a, public.pairs.b',
                      undefined, null, '']) {
        test(`pk ${JSON.stringify(pk)}`, async (t) => {
            await stack.sql('delete from pairs');

            const live = await open(t, 'pairs', 'f', '1', { pk });
            const row = (a, b, x, op) => [{ a, b, f: 1, x, database_op: op }];

            await stack.sql(`insert into pairs values (1, 'x', 1, 0)`);
            assert.deepEqual(await live.next(), row(1, 'x', 0, 'insert'));

            await stack.sql(`insert into pairs values (1, 'y"', 1, 0)`);
            assert.deepEqual(await live.next(), row(1, 'y"', 0, 'insert'));

            await stack.sql(`update pairs set x = 5 where b = 'x'`);
            assert.deepEqual(await live.next(), row(1, 'x', 5, 'update'));

            await stack.sql(`delete from pairs where b = 'y"'`);

            const [gone] = await live.next();

            assert.equal(gone.a, 1);
            assert.equal(gone.b, 'y"');
            assert.equal(gone.database_op, 'delete');
            assert.ok('id' in gone);

            await stack.sql(`update pairs set f = 2`);
            assert.equal((await live.next())[0].b, 'x');
        });
    }

    test('a part of it is refused, and the whole is named', async () => {
        await refused(Live.open(stack.base, 'pairs', 'f', '1', { pk: 'a' }),
                      /pk "a" is only a part of a key .*"a,b"/);
    });

    test('more columns than can be served', async () => {
        await refused(Live.open(stack.base, 'five', 'f', '1',
                                { pk: 'a,b,c,d,e' }), /key of 5 columns/);
        await refused(Live.open(stack.base, 'five', 'f', '1',
                                { pk: 'a,b,c,d,e,f,a,b,c' }),
                      /pk has more than 8 columns/);
    });
});


/* what a client finds a row by: these members, as JSON has them */
function members(text, names) {
    return names.map((name) => {
        const at = text.lastIndexOf(`"${name}":`);

        assert.ok(at >= 0, `${name} in ${text}`);
        return JSON.stringify(JSON.parse(text)[name]);
    });
}


/*
 * Rows of casts come in a snapshot or in an event, and go by a DELETE or a
 * TRUNCATE: each delete has the members that the row has.
 */
async function comesAndGoes(t, table, insert, query, pk, names, more = {}) {
    const field = more.field ?? 'g';

    for (const end of [`delete from ${table}`, `truncate ${table}`]) {
        for (const first of ['snapshot', 'event']) {
            await stack.sql(`delete from ${table}`);

            if (first == 'snapshot') {
                await stack.sql(insert);
            }

            const live = await open(t, table, field, more.value ?? '1',
                                    { pk, query, ...more.payload });
            let rows = live.response.rows;

            if (first == 'event') {
                await stack.sql(insert);
                rows = await live.next();
            }

            const keyed = new Set();

            for (const row of rows) {
                keyed.add(`${members(JSON.stringify(row), names)}`);
            }

            assert.equal(keyed.size, rows.length, JSON.stringify(rows));
            await stack.sql(end);

            while (keyed.size != 0) {
                for (const row of await live.next()) {
                    assert.equal(row.database_op, 'delete');
                    assert.ok('id' in row);
                    assert.ok(keyed.delete(
                        `${members(JSON.stringify(row), names)}`),
                        `${JSON.stringify(row)} of ${JSON.stringify(rows)}`);
                }
            }

            live.client.ws.terminate();
        }
    }
}


describe('a delete prints its key as the query prints it:', () => {
    const two = `insert into casts values
        (9007199254740993, 1, true, 'ab', '2024-02-03 04:05:06+00', 1.50,
         '00000000-0000-0000-0000-000000000001'),
        (9007199254740992, 1, false, '', '-infinity', 2,
         '00000000-0000-0000-0000-000000000002')`;

    for (const [what, query, pk, names] of [
        ['a text', 'select id::text as id, g from casts', 'id', ['id']],
        ['no AS', 'select cast(id as varchar), g from casts', 'id', ['id']],
        ['wider', 'select id::numeric::text as id, g from casts', 'id',
         ['id']],
        ['the last of two', 'select *, id::text as id from casts', 'id',
         ['id']],
        ['of several, texts', `select b::text, c::text, at::text, g
                               from casts`, 'b,c,at', ['b', 'c', 'at']],
        ['of several, as they are', 'select b, c, at, g from casts',
         'b,c,at', ['b', 'c', 'at']],
        ['of several, mixed', `select c::varchar collate "C", b,
                                      at::text as at from casts`,
         'b,c,at', ['b', 'c', 'at']],
        ['numeric', 'select n::text from casts', 'n', ['n']],
        ['uuid', 'select d::text from casts', 'd', ['d']],
        ['a join', `select x.id::text, w.name from casts x
                    left join groups w on w.g = x.g`, 'x.id', ['id']],
        ['a join, of several', `select x.c, x.b::text, x.at, w.name
                                from casts x left join groups w
                                on w.g = x.g`, 'x.b,x.c,x.at',
         ['b', 'c', 'at']],
        ['a group', `select c, n, d, at, b, count(*) from casts
                     group by 1, 2, 3, 4, 5`, 'c,n,at,b',
         ['b', 'c', 'n', 'at']],
        ['a group by a text', `select id::text, count(*) from casts
                               group by 1`, 'id', ['id']],
    ]) {
        test(what, (t) => comesAndGoes(t, 'casts', two, query, pk, names, {
            field: query.includes('join') ? 'x.g' : 'g',
            payload: { topic: null } }));
    }

    const odd = `insert into shapes values
        (1, 1, '{"a": [1, 2.50]}', '{1,2}', (1, 'x'), 'ab', 1.50),
        (2, 1, null, null, null, null, null),
        (3, 1, '"s"', '{}', (null, ''), '', 'NaN')`;

    for (const pk of ['j', 'a', 's', 'c', 'n', 'j,a', 'c,n', 's,c']) {
        test(`a UNION's ${pk}`, (t) => comesAndGoes(t, 'shapes', odd,
            'select f, j, a, s, c, n from shapes union all'
            + ' select f, j, a, s, c, n from shapes where false', pk,
            pk.split(','), { field: 'f', payload: { topic: null } }));
    }

    for (const as of ['n', 'n::text']) {
        test(`another text of an equal number, ${as}`, async (t) => {
            await stack.sql(`delete from casts; ${two}`);

            const query = `select ${as}, g from casts`;
            const live = await open(t, 'casts', 'g', '1', { pk: 'n', query });

            for (const n of ['1.5', '1.500', '7']) {
                await stack.sql(`update casts set n = ${n} where b`);
                await live.converges(`${query} where g = 1`, stack);
            }
        });
    }

    test('of the other side of a join', async (t) => {
        await stack.sql('delete from casts; delete from groups;'
                        + ` insert into groups values (1, 'one')`);

        const live = await open(t, 'groups', 'w.g', '1', {
            topic: null, pk: 'x.b,x.c,x.at',
            query: `select x.b, x.c, x.at, w.name from groups w
                    left join casts x on x.g = w.g` });

        assert.deepEqual(live.response.rows, [
            { b: null, c: null, at: null, name: 'one',
              database_op: 'query' }]);
        await stack.sql('delete from groups');
        assert.deepEqual(await live.next(), [
            { id: [null, null, null], b: null, c: null, at: null,
              database_op: 'delete' }]);
    });

    for (const cast of ['id::float8', 'id::float8::text', 'cast(id as char)',
                        'id::varchar(3)', 'n::int', 'n::text::int',
                        'n::numeric(3,1)', 'at::date', 'b::int']) {
        const [name] = /id|n(?=:)|at|b(?=:)/.exec(cast);

        test(`${cast} is refused`, async () => {
            await refused(Live.open(stack.base, 'casts', 'g', '1', {
                pk: name == 'at' || name == 'b' ? 'b,c,at' : name,
                query: `select ${cast} as ${name}, g from casts` }),
                /^a cast may change what tells the rows apart, "\w+": select/);
        });
    }

    for (const [what, expression] of [
        ['of another column with COLLATE', 'c collate "C" as d'],
        ['of a CASE', 'case when g = 1 then null else d end'],
        ['of a sub-select', '(select x.d from casts x limit 1)'],
    ]) {
        test(`the name ${what} is refused`, async () => {
            await refused(Live.open(stack.base, 'casts', 'casts.g', '1', {
                pk: 'casts.d', query: `select ${expression}, g from casts` }),
                /the query has a column "d" that is not that of the key/);
        });
    }

    test('one row needs no key, however many columns it has', async (t) => {
        await stack.sql('delete from pairs');

        const live = await open(t, 'pairs', 'f', '1', { pk: undefined,
            query: 'select count(*) as n from pairs' });

        assert.equal(live.response.rows[0].n, 0);
        await stack.sql(`insert into pairs values (1, 'x', 1, 0)`);
        assert.equal((await live.next())[0].n, 1);
    });
});


describe('a query that does not select its key gets it as "key":', () => {
    const two = `insert into casts values
        (9007199254740993, 1, true, 'ab', '2024-02-03 04:05:06+00', 1.50,
         '00000000-0000-0000-0000-000000000001'),
        (9007199254740992, 1, false, '', '-infinity', 2,
         '00000000-0000-0000-0000-000000000002')`;

    for (const [what, query, pk, keys] of [
        ['of one column', 'select g from casts', 'id',
         ['9007199254740993', '9007199254740992']],
        ['under another name', 'select id as post, g from casts', 'id',
         ['9007199254740993', '9007199254740992']],
        ['of several columns', 'select g from casts', 'b,c,at',
         [['true', 'ab', '2024-02-03 04:05:06+00'],
          ['false', '', '-infinity']]],
        ['of which some are selected', 'select b, g from casts', 'b,c,at',
         [['true', 'ab', '2024-02-03 04:05:06+00'],
          ['false', '', '-infinity']]],
        ['of a join', `select w.name from casts x
                       left join groups w on w.g = x.g`, 'x.b,x.c,x.at',
         [['true', 'ab', '2024-02-03 04:05:06+00'],
          ['false', '', '-infinity']]],
        ['no column at all', 'select from casts', 'n', ['1.50', '2']],
    ]) {
        test(what, async (t) => {
            const payload = { topic: null };
            const field = query.includes('join') ? 'x.g' : 'g';

            await comesAndGoes(t, 'casts', two, query, pk, ['key'],
                               { field, payload });

            await stack.sql(`delete from casts; ${two}`);

            const live = await open(t, 'casts', field, '1',
                                    { pk, query, ...payload });

            assert.deepEqual(live.response.rows.map((row) => row.key).sort(),
                             [...keys].sort());

            /* an update, and a row that leaves and comes back */
            for (const [sql, op] of [
                [`update casts set g = 2 where b`, 'delete'],
                [`update casts set g = 1 where b`, /insert|update/],
            ]) {
                await stack.sql(sql);

                const [row] = await live.next();

                assert.match(row.database_op, new RegExp(op));
                assert.deepEqual(row.key, keys[0]);
            }
        });
    }

    test('one row', async (t) => {
        await stack.sql('delete from casts');

        const live = await open(t, 'casts', 'g', '1', {
            query: 'select count(*) as n from casts having count(*) < 2' });

        assert.deepEqual(live.response.rows, [
            { n: 0, key: '', database_op: 'query' }]);
        await stack.sql(two);

        const [gone] = await live.next();

        assert.equal(gone.key, '');
        assert.equal(gone.database_op, 'delete');
    });

    test('another text of an equal number', async (t) => {
        await stack.sql(`delete from casts; ${two}`);

        const live = await open(t, 'casts', 'g', '1', {
            pk: 'n', query: 'select g from casts' });

        await stack.sql('update casts set n = 1.5 where b');

        const rows = [...await live.next(), ...await live.next()];

        assert.deepEqual(rows.map((row) => [row.database_op, row.key]),
                         [['delete', '1.50'], ['insert', '1.5']]);
    });

    test('a column of that name is refused', async () => {
        await refused(Live.open(stack.base, 'casts', 'g', '1', {
            query: 'select g as key from casts' }),
            /^the query does not select its key, "id", and has another column/);
    });

    test('a query that selects its key is sent as it is', async (t) => {
        await stack.sql('delete from groups');

        const live = await open(t, 'groups', 'g', '1', {
            pk: 'g', query: 'select g, name as key from groups' });

        await stack.sql(`insert into groups values (1, 'one')`);
        assert.deepEqual(await live.next(), [
            { g: 1, key: 'one', database_op: 'insert' }]);
    });
});


describe('unique indexes', () => {
    for (const pk of ['code', 'b,a', 'a,b', 'id']) {
        test(`${pk} will do`, async (t) => {
            await stack.sql('delete from uniques');

            const live = await open(t, 'uniques', 'f', '1', { pk });

            await stack.sql(`insert into uniques values
                (1, 'c', 2, 3, null, 0, 0, 'l', 1)`);
            assert.equal((await live.next())[0].code, 'c');
            await stack.sql('delete from uniques');

            const [gone] = await live.next();

            assert.equal(gone.database_op, 'delete');

            for (const name of pk.split(',')) {
                assert.ok(name in gone, name);
            }
        });
    }

    for (const [pk, reason] of [
        ['free', /"free" is neither the primary key nor unique .*"id"/],
        ['part', /"part" is neither/],
        ['late', /"late" is neither/],
        ['low', /"low" is neither/],
        ['f', /"f" is neither/],
        ['a', /"a" is only a part of a key .*"b,a"/],
        ['id,f', /"id,f" is neither/],
        ['nokey', /pk "nokey" is not a column of "public"."uniques"/],
        ['id,', /pk "id," is not a list of columns/],
        ['x.id', /"x.id" is of no table in the query's FROM/],
    ]) {
        test(`${pk} will not`, async () => {
            await refused(Live.open(stack.base, 'uniques', 'f', '1', { pk }),
                          reason);
        });
    }

    test('a NOT NULL that is NOT VALID makes no key', async () => {
        /* as the catalog of PostgreSQL 18 has it */
        await stack.sql(`
            create table loose (u int unique, f int);
            alter table loose replica identity full;
            alter table loose add constraint n check (u > 0) not valid;
            set allow_system_table_mods = on;
            update pg_constraint set contype = 'n' where conname = 'n';
            update pg_attribute set attnotnull = true
             where attname = 'u' and attrelid = 'loose'::regclass;
            reset allow_system_table_mods`);

        await refused(Live.open(stack.base, 'loose', 'f', '1', { pk: 'u' }),
                      /"u" is neither the primary key nor unique/);
    });

    test('a table without a key', async () => {
        await refused(Live.open(stack.base, 'keyless', 'f', '1'),
                      /"id" is neither the primary key nor unique/);
        await refused(Live.open(stack.base, 'keyless', 'f', '1', { pk: null }),
                      /"keyless" has no primary key/);
    });

    for (const table of ['arrays', 'addresses']) {
        test(`a key that cannot be told by its text: ${table}`, async () => {
            await refused(Live.open(stack.base, table, 'f', '1', { pk: 'k' }),
                          /pk "k" is of type .* cannot tell rows apart here/);
        });
    }
});


describe('replica identities', () => {
    const full = (table) => new RegExp(
        `run ALTER TABLE ${table} REPLICA IDENTITY FULL;`);

    test('default, and a filter on another column', async () => {
        await refused(Live.open(stack.base, 'plain', 'f', '1'),
                      full('"public"."plain"'));
    });

    test('default, and a filter on the key', async (t) => {
        const live = await open(t, 'plain', 'id', '1');

        await stack.sql('insert into plain values (1, 1)');
        assert.equal((await live.next())[0].database_op, 'insert');
        await stack.sql('update plain set id = 2');
        assert.deepEqual(await live.next(), [{ id: 1,
                                               database_op: 'delete' }]);
    });

    test('nothing', async () => {
        await refused(Live.open(stack.base, 'nothing', 'id', '1'),
                      full('"public"."nothing"'));
    });

    test('an index that has the field and the key', async (t) => {
        const live = await open(t, 'indexed', 'f', '1');

        await stack.sql('insert into indexed values (1, 1)');
        assert.equal((await live.next())[0].database_op, 'insert');
        await stack.sql('update indexed set f = 2');
        assert.deepEqual(await live.next(), [{ id: 1,
                                               database_op: 'delete' }]);
    });

    test('that index is gone', async () => {
        await stack.sql('drop index "Indexed by"');
        await refused(Live.open(stack.base, 'indexed', 'f', '1'),
                      full('"public"."indexed"'));
    });

    test('the statement that it names mends it, odd names too',
         async (t) => {
        const table = `"O'Brien's ""own"""`;
        const args = [null, 'f', '1', { topic: null,
                                        query: `select * from ${table}` }];
        let reason;

        await assert.rejects(Live.open(stack.base, ...args), (err) => {
            reason = err.message;
            return err instanceof Refused;
        });

        const [, statement] = /run (ALTER TABLE .* FULL;)/.exec(reason);

        await stack.sql(statement);

        const live = await open(t, ...args);

        await stack.sql(`insert into ${table} values (1, 1)`);
        assert.equal((await live.next())[0].id, 1);
    });

    test('tables beside the main one need any that is told', async (t) => {
        const query = (other) => `select p.id, p.f from parted p`
                                 + ` join ${other} o on o.id = p.id`;

        await refused(Live.open(stack.base, 'parted', 'p.f', '1',
                                { pk: 'p.id', query: query('nothing') }),
                      full('"public"."nothing"'));

        const live = await open(t, 'parted', 'p.f', '1',
                                { pk: 'p.id', query: query('plain') });

        assert.deepEqual(live.response.rows, []);
    });
});


describe('partitions', () => {
    test('changes of each reach the partitioned table', async (t) => {
        const live = await open(t, 'parted', 'f', '1');

        for (const id of [1, 11, 16]) {
            await stack.sql('insert into parted values ($1, 1, 0)', [id]);
            assert.deepEqual(await live.next(), [
                { id, f: 1, x: 0, database_op: 'insert' }]);
        }

        /* from one to another */
        await stack.sql('update parted set id = 12 where id = 1');
        await live.converges('select * from parted where f = 1', stack);

        await stack.sql('update parted set f = 2 where id = 11');
        await live.converges('select * from parted where f = 1', stack);

        await stack.sql('delete from parted');
        await live.converges('select * from parted where f = 1', stack);
    });

    test('the identity of every partition counts', async (t) => {
        await refused(Live.open(stack.base, 'halves', 'f', '1'),
                      /ALTER TABLE "public"."Halves 2" REPLICA IDENTITY FULL/);
        await stack.sql('alter table "Halves 2" replica identity full');
        await open(t, 'halves', 'f', '1');
    });
});


test('a generated column', async (t) => {
    const live = await open(t, 'computed', 'double', '10');

    await stack.sql('insert into computed values (1, 5)');
    assert.deepEqual(await live.next(), [
        { id: 1, f: 5, double: 10, database_op: 'insert' }]);
    await stack.sql('update computed set f = 6');
    assert.deepEqual(await live.next(), [{ id: 1, database_op: 'delete' }]);
});


test('routes of all kinds go on after a crash of the replicator',
     async (t) => {
    await stack.sql('delete from pairs; delete from parted;'
                    + ' alter table "Halves 2" replica identity full');

    const routes = [
        ['pairs', 'f', ['1', '3'], { equality: '!eq', pk: 'b,a' },
         'f not in (1, 3)'],
        ['pairs', 'b', ' x', { equality: 'starts_with', pk: '' },
         "starts_with(b, ' x')"],
        ['pairs', 'b', ['', ' y '], { pk: 'a,b' }, "b in ('', ' y ')"],
        ['pairs', 'q.b', 'm', { equality: 'gte', pk: null, alias: 'q',
                                query: 'select * from pairs q',
                                topic: null }, "b >= 'm'"],
        ['parted', 'f', '1', { equality: 'lte' }, 'f <= 1'],
        ['halves', 'f', '1', { topic: null,
                               query: 'select * from halves "H h"' },
         'f = 1'],
        [`k${types.indexOf('label')}`, 'f', '1', { pk: '"k"' }, 'f = 1'],
    ];
    const lives = [];

    for (const [table, field, value, more, where] of routes) {
        const live = await open(t, table, field, value, more);

        live.pks = table == 'pairs' ? ['a', 'b']
                   : more.pk == '"k"' ? ['k'] : ['id'];
        lives.push([live, `select * from ${table} where ${where}`]);
    }

    await stack.replicator.kill();
    await stack.replicator.start();

    const key = types.indexOf('label');

    for (const sql of [
        `insert into pairs values (1, ' x', 2, 1), (2, 'z', 1, 2),
                                  (3, 'q', 5, 3), (4, '', 1, 4),
                                  (5, ' y ', 1, 5), (6, 'y', 1, 6)`,
        'insert into parted values (1, 1, 0), (11, 0, 0), (16, 5, 0)',
        'insert into halves values (1, 1), (11, 1)',
        `insert into k${key} values ('a', 1, 0), ('b', 2, 0)`,
    ]) {
        await stack.sql(sql);
    }

    for (const [live, query] of lives) {
        await live.converges(query, stack);
        assert.equal(live.client.inbox.items.filter(
            (text) => text.includes('phx_error')).length, 0, query);
    }
});
