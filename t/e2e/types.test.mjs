/*
 * Every base type of PostgreSQL, and arrays, ranges, multiranges, enums,
 * composites and domains: a row of the snapshot and one of an event, whether
 * fetched by its key or by the whole query, are the bytes that row_to_json()
 * prints, with the replicator's IntervalStyle.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { within } from './lib/await.mjs';
import { Client, subscription } from './lib/client.mjs';
import { startStack } from './lib/stack.mjs';


/* what is hard to print, beside what is made up for each type */
const SPECIAL = {
    bool: ['true', 'false'],
    int2: ['-32768', '32767'],
    int4: ['-2147483648', '2147483647'],
    int8: ['-9223372036854775808', '9223372036854775807'],
    float4: ['NaN', 'Infinity', '-Infinity', '-0', '1e-45', '3.4028235e38'],
    float8: ['NaN', 'Infinity', '-Infinity', '-0', '5e-324', '1e300', '0.1',
             '1.7976931348623157e308'],
    numeric: ['NaN', 'Infinity', '-Infinity', '0.000', '-1.50', '1e-1000',
              `${'9'.repeat(500)}.${'1'.repeat(500)}`, '1e131071'],
    money: ['-92233720368547758.08', '12.3'],
    date: ['infinity', '-infinity', '4713-01-01 BC', '0001-12-31 BC',
           '5874897-12-31', '2024-02-29'],
    time: ['24:00', '00:00:00.000001', '23:59:59.999999'],
    timetz: ['24:00+15:59:59', '00:00:00-15:59', '04:05:06.7+00'],
    timestamp: ['infinity', '-infinity', '4713-01-01 00:00:00 BC',
                '294276-12-31 23:59:59.999999', '2024-02-03 04:05:06.1'],
    timestamptz: ['infinity', '-infinity', '4713-01-02 00:00:00+00 BC',
                  '294276-12-31 23:59:59.999999+00',
                  '2024-02-03 04:05:06.100000+05:30'],
    interval: ['1 year 2 mons -3 days 04:05:06.7', '-178000000 years', '0',
               '-00:00:00.000001', '1 mon -1 day'],
    text: ['', ' ', '\u0001\b\t\n\v\f\r\u001f\u007f\u0080\u2028\ufffe',
           'é😀\u{10ffff}', '"\\/\'', '</script>', 'null', '{"a":1}',
           'x'.repeat(100000)],
    varchar: ['', '\\"'],
    bpchar: ['', 'a  '],
    name: ['', 'a"b'],
    char: ['', 'x', '"', '\\'],
    bytea: ['', '\\x00', '\\x0001feff225c', '\\x7f80'],
    json: ['null', ' { "b" : 1 , "a" : [ 2.50 , 1e3 ] , "b" : 2 } ',
           '"\\u0000"', '[]', '1e400', '"\\ud83d\\ude00"', '{"":{"":[]}}',
           '{\n"a":\t1}'],
    jsonb: ['null', ' { "b" : 1 , "a" : [ 2.50 , 1e3 ] , "b" : 2 } ', '[]',
            '"\\u00e9 \\" \\\\"', '12345678901234567890.123'],
    jsonpath: ['$.a[*] ? (@.b > 1)'],
    xml: ['<a b="c">d &amp; e</a>', ''],
    uuid: ['F0000000-0000-0000-0000-00000000000A'],
    inet: ['127.0.0.1', '10.0.0.0/8', '::1', '2001:db8::/32',
           '::ffff:1.2.3.4'],
    cidr: ['10.0.0.0/8', '10.1.2.3/32', '::/0'],
    macaddr: ['08:00:2b:01:02:03'],
    macaddr8: ['08:00:2b:01:02:03:04:05'],
    bit: ['1'],
    varbit: ['', '101010101'],
    point: ['(1.5,-0)', '(NaN,Infinity)'],
    line: ['{1,2,3}'],
    lseg: ['[(1,2),(3,4)]'],
    box: ['(3,4),(1,2)'],
    path: ['((1,2),(3,4))', '[(1,2)]'],
    polygon: ['((1,2),(3,4),(5,6))'],
    circle: ['<(1,2),3>'],
    tsvector: ["'a':1A 'b''c':2,3", ''],
    tsquery: ["'a' & !'b' <-> 'c':*A", ''],
    pg_lsn: ['FFFFFFFF/FFFFFFFF', '0/0'],
    pg_snapshot: ['10:20:10,14,15'],
    txid_snapshot: ['10:20:10,14,15'],
    oid: ['0', '4294967295'],
    xid: ['4294967295'],
    xid8: ['18446744073709551615'],
    cid: ['4294967295'],
    tid: ['(1,2)'],
    regclass: ['pg_class', '0'],
    regtype: ['int', 'timestamp with time zone'],
    regproc: ['now', '0'],
    regprocedure: ['now()'],
    regoper: ['||/', '0'],
    regoperator: ['+(int,int)'],
    regconfig: ['english'],
    regdictionary: ['simple'],
    regnamespace: ['public'],
    regrole: ['postgres'],
    regcollation: ['"C"'],
    int2vector: ['1 2 3', ''],
    oidvector: ['1 2 3', ''],
    aclitem: ['postgres=arwdDxt/postgres'],
    refcursor: ['a "cursor"'],
    gtsvector: [],

    /* made by the setup */
    mood: ['sad', 'it\'s "so" so', 'é'],
    positive: ['1', '2147483647'],
    label: ['"', 'a'],
    days: ['{2024-01-01,infinity}'],
    pair: ['(1,"a ""b"" \\\\ c","{1,2}",)', '(,,,)',
           '(-1,,"{}","(1,x,,)")'],
    span: ['[1.5,2.5)', 'empty'],
};

/* of every type that has them */
const ARRAYS = ['{}', '{NULL}', '[2:3]={V,NULL}', '{{V,V},{NULL,V}}'];

/* none of these is a column's type, or has values that can be written */
const LEFT_OUT = ['gtsvector', 'pg_node_tree', 'pg_ndistinct',
                  'pg_dependencies', 'pg_mcv_list', 'pg_brin_bloom_summary',
                  'pg_brin_minmax_multi_summary'];

/* those of the replicator's sessions, whatever the database has */
const SETTINGS = 'set intervalstyle = iso_8601; set bytea_output = hex;'
                 + ' set timezone = \'UTC\'; set datestyle = \'ISO\';'
                 + ' set extra_float_digits = 3;';

const HOSTILE = { intervalstyle: 'sql_standard', bytea_output: 'escape',
                  timezone: 'Asia/Kathmandu', datestyle: 'German',
                  extra_float_digits: '0' };

let stack, types;

before(async () => {
    stack = await startStack({ workers: 1, setup: `
        create type mood as enum ('sad', 'it''s "so" so', 'é');
        create domain positive as int check (value > 0);
        create domain label as text;
        create domain days as date[];
        create type pair as (a int, b text, c int[], d text);
        create type span as range (subtype = numeric);
        do $$ begin
            ${Object.entries(HOSTILE).map(([name, value]) => `
            execute format('alter database %I set ${name} = ''${value}''',
                           current_database());`).join('')}
        end $$` });

    types = await stack.sql(`
        select t.oid, t.typname as name, t.typtype as kind,
               format_type(t.oid, null) as sql, t.typdelim as delimiter,
               t.typarray <> 0 as arrays,
               (select s.typname from pg_range r join pg_type s
                on s.oid = r.rngsubtype where t.oid in (r.rngtypid,
                                                        r.rngmultitypid))
               as subtype
        from pg_type t
        join pg_namespace n on n.oid = t.typnamespace
        where t.typtype in ('b', 'e', 'd', 'c', 'r', 'm')
              and n.nspname in ('pg_catalog', 'public')
              and t.typcategory <> 'A' and (t.typtype <> 'c'
                                            or t.typname = 'pair')
              and t.typname <> all ($1)
        order by t.typname`, [LEFT_OUT]);
});

after(() => stack?.stop());


/* Texts of values; a range's are made of those of its subtype. */
function valuesOf(type) {
    if (SPECIAL[type.name]) {
        return SPECIAL[type.name];
    }

    if (type.kind == 'r' && type.subtype) {
        const [low, high] = {
            int4: ['-1', '5'], int8: ['-1', '9223372036854775806'],
            numeric: ['-1.50', '1e20'], date: ['0044-03-15 BC', 'infinity'],
            timestamp: ['"2024-01-01 00:00:00"', 'infinity'],
            timestamptz: ['"2024-01-01 00:00:00+03"', 'infinity'],
        }[type.subtype];

        return ['empty', '(,)', `[${low},${high})`, `(${low},]`];
    }

    if (type.kind == 'm' && type.subtype) {
        return ['{}', '{(,)}'];
    }

    return null;
}


/* The rows of every column: each value, its arrays, and NULL. */
function columns() {
    const all = [];

    for (const type of types) {
        const values = valuesOf(type);

        if (values == null) {
            throw new Error(`there are no values of the type ${type.name}`);
        }

        all.push({ sql: type.name == 'char' ? '"char"' : type.sql,
                   values: [...values, null] });

        if (type.arrays && values.length != 0) {
            const v = `"${values.at(-1).slice(0, 100)
                        .replace(/["\\]/g, '\\$&')}"`;

            all.push({ sql: `${all.at(-1).sql}[]`,
                       values: [...ARRAYS.map((a) => {
                           return a.replaceAll(',', type.delimiter)
                                  .replaceAll('V', () => v);
                       }), null] });
        }
    }

    return all;
}


/* the objects of "rows", as their bytes; no value holds this by itself */
function split(text, op) {
    const mark = `"database_op":"${op}"}`;

    return text.slice(text.indexOf('"rows":[') + 8).split(mark).slice(0, -1)
           .map((row) => `${row.replace(/^,(?=\{)/, '').replace(/,$/, '')}}`);
}


test('all types', async (t) => {
    const c = await Client.connect(stack.base, { perMessageDeflate: false });

    t.after(() => c.ws.terminate());
    await c.join('u');

    for (const [i, { sql, values }] of columns().entries()) {
        await t.test(sql, async () => {
            await stack.sql(`create table v${i} (id serial primary key,
                             g int default 1, v ${sql});
                             alter table v${i} replica identity full`);

            const expected = async () => (await stack.sql(
                `${SETTINGS} select row_to_json(t)::text as`
                + ` row from v${i} t order by id`)).map((r) => r.row);

            for (const value of values) {
                await stack.sql(`insert into v${i} (v) values ($1)`, [value]);
            }

            /* row by row, and run as a whole after each change */

            for (const exact of [false, true]) {
                await compare(c, `v${i}`, values, exact, expected);
            }
        });
    }
});


async function compare(c, table, values, exact, expected) {
    c.send([c.joins.u, 's', 'u', 'subscribe',
            subscription(table, 'g', '1', { exact,
                         query: `select * from ${table} order by id` })]);

    const reply = await c.text('the snapshot');

    assert.match(reply, /"status":"ok"/, reply.slice(0, 300));
    assert.deepEqual(split(reply, 'query'), await expected());

    const [topic] = JSON.parse(reply)[4].response.route_topics;

    await c.join(topic);

    for (const value of values) {
        await stack.sql(`insert into ${table} (v) values ($1)`, [value]);

        const inserted = await c.text('the insert');
        const rows = await expected();

        assert.deepEqual(split(inserted, 'insert'), rows.slice(-1));

        if (exact) {
            /* nothing differs after an update of nothing */
            continue;
        }

        await stack.sql(`update ${table} set g = g where id =`
                        + ` (select max(id) from ${table})`);

        const updated = await c.text('the update');

        assert.deepEqual(split(updated, 'update'), rows.slice(-1));
    }

    c.send([c.joins[topic], 'l', topic, 'phx_leave', {}]);
    await within(left(c, topic), `leaving ${topic}`);
}


async function left(c, topic) {
    for (;;) {
        const m = JSON.parse(await c.text('phx_close'));

        if (m[2] === topic && m[3] == 'phx_close') {
            return;
        }
    }
}


/* an index has no room for long values, and wal2json no word for a NaN */
function isKey(type, value) {
    return value.length < 1000
           && !(/^(float|numeric)/.test(type.name)
                && /NaN|Infinity/.test(value));
}


describe('as a primary key', () => {
    test('the delete has what the row had', async (t) => {
        const c = await Client.connect(stack.base);
        let n = 0;

        t.after(() => c.ws.terminate());
        await c.join('u');

        for (const [i, type] of types.entries()) {
            const values = valuesOf(type);
            const sql = type.name == 'char' ? '"char"' : type.sql;
            const keyed = await stack.sql(
                `create table p${i} (k ${sql} primary key, g int);
                 alter table p${i} replica identity full`)
                          .then(() => true, () => false);

            /* no order of values, no key */
            if (!keyed || values.length == 0) {
                continue;
            }

            const reply = await c.call('u', 'subscribe', subscription(
                `p${i}`, 'g', '1', { pk: 'k' }));

            if (reply.status != 'ok') {
                assert.match(reply.response.reason,
                             /cannot tell rows apart here/);
                continue;
            }

            n++;
            await c.join(reply.response.route_topics[0]);

            for (const value of values.filter((v) => isKey(type, v))) {
                await stack.sql(`insert into p${i} values ($1, 1)`, [value]);

                const inserted = await c.text(`the insert of ${sql} ${value}`);
                const [row] = await stack.sql(
                    `${SETTINGS} select to_json(k)::text as k from p${i}`);

                assert.ok(inserted.includes(`{"k":${row.k},"g":1,`),
                          `${sql}: ${inserted}`);

                await stack.sql(`delete from p${i}`);

                const gone = await c.text(`the delete of ${sql} ${value}`);

                assert.ok(gone.includes(`{"id":${row.k},"k":${row.k},`
                                        + '"database_op":"delete"}'),
                          `${sql}: ${gone} has not ${row.k}`);
            }

            const [topic] = reply.response.route_topics;

            c.send([c.joins[topic], 'l', topic, 'phx_leave', {}]);
            await within(left(c, topic), `leaving ${topic}`);
        }

        assert.ok(n > 30, `${n} types can be keys`);
    });
});
