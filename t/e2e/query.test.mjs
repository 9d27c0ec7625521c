/*
 * Realtime queries over a real PostgreSQL.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { LIMIT } from './lib/await.mjs';
import { Client, subscription } from './lib/client.mjs';
import { Live, Refused } from './lib/live.mjs';
import { startStack } from './lib/stack.mjs';


/*
 * Columns by which a route may be filtered: a value, what PostgreSQL thinks
 * equal to it though it is written otherwise, and another value.
 */
const FIELDS = {
    smallint: ['-32768', '-32768', '7'],
    integer: ['2147483647', '2147483647', '7'],
    bigint: ['9223372036854775807', '9223372036854775807', '7'],
    real: ['1.5', '1.50', '2.5'],
    'double precision': ['0.1', '1e-1', '0.2'],
    numeric: ['12.50', '12.5', '12.51'],
    'decimal(30,10)': ['12345678901234567890.0123456789',
                       '12345678901234567890.0123456789', '1'],
    boolean: ['true', 't', 'false'],
    date: ['2024-02-29', '2024-02-29', '2024-03-01'],
    uuid: ['0b8c3a52-7f0e-4e5c-9a43-2f9b1c5d7e11',
           '0B8C3A52-7F0E-4E5C-9A43-2F9B1C5D7E11',
           '0b8c3a52-7f0e-4e5c-9a43-2f9b1c5d7e12'],
    text: [`o'ne "two" \\three, é😀`, `o'ne "two" \\three, é😀`, '57'],
    'varchar(20)': ['123', '123', '1234'],
    timestamp: ['2024-02-03 04:05:06.789', '2024-02-03T04:05:06.789000',
                '2024-02-03 04:05:07'],
    timestamptz: ['2024-02-03 04:05:06.789+00', '2024-02-03 05:05:06.789+01',
                  '2024-02-03 04:05:07+00'],
};

/* every type in one row, with the values that break careless printers */
const WIDE = `
    create table wide (
        id bigint primary key, small smallint, int integer, big bigint,
        r real, d double precision, n numeric, dec decimal(30,10),
        b boolean, day date, u uuid, t text, v varchar(20), ts timestamp,
        tz timestamptz, j json, jb jsonb);
    alter table wide replica identity full;`;

const WIDE_ROWS = [
    `1, -32768, -2147483648, -9223372036854775808, 1.1, 0.1, 1.500,
     12345678901234567890.0123456789, true, '2024-02-29',
     '0B8C3A52-7F0E-4E5C-9A43-2F9B1C5D7E11', E'a "b" \\\\ c\\n\\té😀', 'v',
     '2024-02-03 04:05:06.7', '2024-02-03 04:05:06.789+03',
     '{"b": 1,  "a": [2.50, 1e3],  "b": 12345678901234567890}',
     '{"b": 1, "a": [2.50, 12345678901234567890.5]}'`,
    `2, 32767, 2147483647, 9223372036854775807, 'NaN', 'Infinity', 'NaN',
     -0.0000000001, false, '0044-03-15 BC', null, '', '', 'infinity',
     '-infinity', 'null', '"text"'`,
    '3' + ', null'.repeat(16),
];

let stack;

before(async () => {
    stack = await startStack({ workers: 2, setup: `
        create table posts (id bigint primary key, userid int, content text,
                            updated_at timestamptz not null default now());
        alter table posts replica identity full;
        create table keyed (id int primary key, userid int);
        create table bare (userid int);
        alter table bare replica identity full;
        create view seen as select * from posts;
        ${WIDE}
        ${Object.keys(FIELDS).map((type, i) => `
            create table f${i} (id int primary key, f ${type}, x text);
            alter table f${i} replica identity full;
            create domain d${i} as ${type};
            create table df${i} (id int primary key, f d${i}, x text);
            alter table df${i} replica identity full;`).join('')}

        create type mood as enum ('sad', 'Fine, "really"', 'glad');
        create domain settled as mood check (value <> 'sad');
        create domain score as int check (value >= 0);
        create domain points as score;
        create domain amount as numeric;
        create domain ratio as float8;
        create table specials (id int primary key, n amount, f ratio);
        alter table specials replica identity full;
        create table feelings (id int primary key, m mood, s settled,
                               p points);
        alter table feelings replica identity full;` });
});

after(() => stack?.stop());


function open(t, ...args) {
    return Live.open(stack.base, ...args).then((live) => {
        t.after(() => live.client.ws.terminate());
        return live;
    });
}


function pgArray(texts) {
    return `{${texts.map((x) => JSON.stringify(x)).join()}}`;
}


let ids = 0;
const SELECT = 'select id, userid, content from posts';


describe('shapes', () => {
    test('the reply to subscribe', async (t) => {
        await stack.sql("insert into posts values (1, 100, 'a'),"
                        + " (2, 101, 'b')");

        const live = await open(t, 'posts', 'userid', '100',
                                { query: SELECT });

        assert.deepEqual(Object.keys(live.response).sort(),
                         ['received', 'route_topics', 'rows']);
        assert.equal(live.response.received, true);
        assert.deepEqual(live.response.rows, [
            { id: 1, userid: 100, content: 'a', database_op: 'query' }]);
        assert.equal(live.response.route_topics.length, 1);
        assert.match(live.topic, /^rt:[0-9a-f]{64}/);
    });

    test('insert, update, delete', async (t) => {
        const live = await open(t, 'posts', 'userid', '102',
                                { query: SELECT, event: 'posts' });

        await stack.sql("insert into posts values (10, 102, 'new')");

        const inserted = await live.client.event(live.topic, 'posts');

        assert.deepEqual(Object.keys(inserted).sort(),
                         ['position', 'rows', 'sent_at']);
        assert.match(inserted.position, /^[0-9a-f]+(\/[0-9A-F]+){2}\/\d+$/);
        assert.ok(Math.abs(inserted.sent_at - Date.now()) < 60000);
        assert.deepEqual(inserted.rows, [
            { id: 10, userid: 102, content: 'new', database_op: 'insert' }]);

        await stack.sql("update posts set content = 'upd' where id = 10");
        assert.deepEqual(await live.next(), [
            { id: 10, userid: 102, content: 'upd', database_op: 'update' }]);

        await stack.sql('delete from posts where id = 10');
        assert.deepEqual(await live.next(), [
            { id: 10, database_op: 'delete' }]);
    });

    test('a delete has the pk as "id", and under its own name',
         async (t) => {
        await stack.sql('create table parts (code text primary key, f int);'
                        + 'alter table parts replica identity full');

        const live = await open(t, 'parts', 'f', '1', { pk: 'code' });

        await stack.sql("insert into parts values ('x\"y', 1)");
        assert.deepEqual(await live.next(), [
            { code: 'x"y', f: 1, database_op: 'insert' }]);
        await stack.sql('delete from parts');
        assert.deepEqual(await live.next(), [
            { id: 'x"y', code: 'x"y', database_op: 'delete' }]);
    });

    test('only the columns asked for are sent', async (t) => {
        const query = 'select content as c, id from posts';
        const live = await open(t, 'posts', 'userid', '103', { query });

        await stack.sql("insert into posts values (11, 103, 'x')");
        assert.deepEqual(await live.next(), [
            { c: 'x', id: 11, database_op: 'insert' }]);
    });

    test('"WAL" is another name of the event subscribe', async (t) => {
        const c = await Client.connect(stack.base);

        t.after(() => c.ws.terminate());
        await c.join('u');

        const reply = await c.call('u', 'WAL',
                                   subscription('posts', 'userid', '104'));

        assert.equal(reply.status, 'ok');
        assert.equal(reply.response.received, true);
    });
});


describe('what a change means', () => {
    test('a row that leaves the filter comes as a delete', async (t) => {
        const live = await open(t, 'posts', 'userid', '110',
                                { query: SELECT });

        await stack.sql("insert into posts values (20, 110, 'x')");
        await live.next();
        await stack.sql('update posts set userid = 111 where id = 20');
        assert.deepEqual(await live.next(),
                         [{ id: 20, database_op: 'delete' }]);
    });

    test('a row that leaves the query comes as a delete', async (t) => {
        const live = await open(t, 'posts', 'userid', '112',
                                { query: `${SELECT} where content <> 'no'` });

        await stack.sql("insert into posts values (21, 112, 'yes')");
        await live.next();
        await stack.sql("update posts set content = 'no' where id = 21");
        assert.deepEqual(await live.next(),
                         [{ id: 21, database_op: 'delete' }]);
        await stack.sql("update posts set content = 'yes' where id = 21");

        const [row] = await live.next();

        assert.deepEqual([row.id, row.content], [21, 'yes']);
        assert.notEqual(row.database_op, 'delete');
    });

    test('a row that enters the filter comes in full', async (t) => {
        const live = await open(t, 'posts', 'userid', '113',
                                { query: SELECT });

        await stack.sql("insert into posts values (22, 114, 'x')");
        await stack.sql('update posts set userid = 113 where id = 22');

        const [row] = await live.next();

        assert.deepEqual([row.id, row.userid, row.content], [22, 113, 'x']);
        assert.notEqual(row.database_op, 'delete');
        assert.deepEqual(live.drain(), []);
    });

    test('a list of values: one topic, and a row moves within it',
         async (t) => {
        const live = await open(t, 'posts', 'userid', ['115', '116'],
                                { query: SELECT });

        assert.equal(live.response.route_topics.length, 1);
        await stack.sql("insert into posts values (23, 115, 'x')");
        await live.next();
        await stack.sql('update posts set userid = 116 where id = 23');
        assert.deepEqual(await live.next(), [
            { id: 23, userid: 116, content: 'x', database_op: 'update' }]);
        await stack.sql('update posts set userid = 117 where id = 23');
        assert.deepEqual(await live.next(),
                         [{ id: 23, database_op: 'delete' }]);
    });

    test('a primary key that changes: one row goes, one comes', async (t) => {
        const live = await open(t, 'posts', 'userid', '118',
                                { query: SELECT });

        await stack.sql("insert into posts values (24, 118, 'x')");
        await live.next();
        await stack.sql('update posts set id = 25 where id = 24');
        await live.converges(`${SELECT} where userid = 118`, stack);
        assert.deepEqual([...live.rows.keys()], ['25']);
    });

    test('other values, other tables and NULL touch nobody', async (t) => {
        const live = await open(t, 'posts', 'userid', '119',
                                { query: SELECT });

        await stack.sql("insert into posts values (26, null, 'x'),"
                        + " (27, 120, 'y')");
        await stack.sql('insert into keyed values (1, 119)');
        await stack.sql("insert into posts values (28, 119, 'mine')");
        assert.deepEqual((await live.next()).map((row) => row.id), [28]);
        assert.deepEqual(await live.client.pending(), []);
    });

    test('one transaction arrives whole, with its last state', async (t) => {
        const live = await open(t, 'posts', 'userid', '121',
                                { query: SELECT });

        await stack.sql(`
            begin;
            insert into posts
                select n, 121, 'n' from generate_series(1000, 1999) n;
            update posts set content = 'u' where id between 1000 and 1099;
            delete from posts where id between 1900 and 1999;
            commit`);
        await live.converges(`${SELECT} where userid = 121`, stack, 3 * LIMIT);
        assert.equal(live.rows.size, 900);
    });

    test('what is rolled back is never seen', async (t) => {
        const live = await open(t, 'posts', 'userid', '122',
                                { query: SELECT });

        await stack.sql("begin; insert into posts values (30, 122, 'no');"
                        + ' rollback');
        await stack.sql("insert into posts values (31, 122, 'yes')");
        assert.deepEqual((await live.next()).map((row) => row.id), [31]);
    });

    test('single inserts: each arrives, once', async (t) => {
        const live = await open(t, 'posts', 'userid', '123',
                                { query: SELECT });
        const seen = [];

        for (let id = 3000; id < 3300; id++) {
            await stack.sql('insert into posts'
                            + ' values ($1, 123, $1::bigint::text)', [id]);
        }

        while (seen.length < 300) {
            seen.push(...(await live.next('an insert', 3 * LIMIT))
                      .map((row) => row.id));
        }

        assert.deepEqual(seen, Array.from({ length: 300 }, (_, i) => 3000 + i));
        assert.deepEqual(await live.client.pending(), []);
    });

    test('many writers at once: the rows converge', async (t) => {
        const lives = await Promise.all([
            open(t, 'posts', 'userid', ['130', '131'], { query: SELECT }),
            open(t, 'posts', 'userid', '130',
                 { query: `${SELECT} where content like '%1%'` }),
            open(t, 'posts', 'userid', '132', { query: SELECT })]);

        const wheres = ['userid in (130, 131)',
                        "userid = 130 and content like '%1%'",
                        'userid = 132'];

        await Promise.all([1, 2, 3, 4].map(async (writer) => {
            let seed = writer * 7919;

            const random = (n) => {
                seed = (seed * 1103515245 + 12345) % 2147483648;
                return Math.floor(seed / 65536) % n;
            };

            for (let i = 0; i < 150; i++) {
                const id = 4000 + random(40), user = 130 + random(4);

                await stack.sql([
                    'insert into posts values ($1, $2, $3) on conflict (id)'
                    + ' do update set userid = excluded.userid,'
                    + ' content = excluded.content',
                    'update posts set userid = $2, content = $3 where id = $1',
                    'delete from posts where id = $1 and $2::int > 0'
                    + " and $3::text <> ''",
                ][random(3)], [id, user, `c${random(100)}`]);
            }
        }));

        for (let i = 0; i < lives.length; i++) {
            await lives[i].converges(`${SELECT} where ${wheres[i]}`, stack,
                                     3 * LIMIT);
        }
    });
});


describe('no gap', () => {
    test('what is committed before the route is joined arrives', async (t) => {
        const live = await open(t, 'posts', 'userid', '140',
                                { query: SELECT }, false);

        await stack.sql("insert into posts values (40, 140, 'a')");
        await stack.sql("insert into posts values (41, 140, 'b')");
        await stack.sql('delete from posts where id = 40');
        await live.join();
        await live.converges(`${SELECT} where userid = 140`, stack);
        assert.deepEqual([...live.rows.keys()], ['41']);
    });

    test('subscribing while rows are written loses none', async (t) => {
        let stop = false, id = 5000;

        const writer = (async () => {
            while (!stop) {
                await stack.sql('insert into posts'
                                + ' values ($1, 141, $1::bigint::text)',
                                [id++]);
            }
        })();

        const lives = [];

        for (let i = 0; i < 10; i++) {
            lives.push(await open(t, 'posts', 'userid', '141',
                                  { query: SELECT }));
        }

        stop = true;
        await writer;

        const all = Array.from({ length: id - 5000 }, (_, i) => 5000 + i);

        for (const live of lives) {
            const had = new Set(live.rows.keys());

            while (live.rows.size < all.length) {
                const rows = await live.next();

                for (const { id: key } of rows) {
                    assert.ok(!had.has(`${key}`), `${key} came twice`);
                    had.add(`${key}`);
                }
            }

            assert.deepEqual([...live.rows.keys()].map(Number)
                             .sort((x, y) => x - y), all);
            assert.ok([...live.rows].every(([key, row]) => {
                return row.content == key;
            }));
        }
    });

    test('who subscribes again on a known route starts clean', async (t) => {
        const first = await open(t, 'posts', 'userid', '142',
                                 { query: SELECT });

        await stack.sql("insert into posts values (42, 142, 'x')");
        await first.next();

        const second = await open(t, 'posts', 'userid', '142',
                                  { query: SELECT });

        assert.equal(second.topic, first.topic);
        assert.deepEqual([...second.rows.keys()], ['42']);
        await stack.sql('delete from posts where id = 42');
        assert.deepEqual(await first.next(), await second.next());
        assert.deepEqual(await second.client.pending(), []);
    });

    test('one leaves, the other goes on', async (t) => {
        const [a, b] = [
            await open(t, 'posts', 'userid', '143', { query: SELECT }),
            await open(t, 'posts', 'userid', '143', { query: SELECT })];

        await a.client.call(a.topic, 'phx_leave');
        await a.client.event(a.topic, 'phx_close');
        await stack.sql("insert into posts values (43, 143, 'x')");
        await b.next();
        assert.deepEqual(await a.client.pending(), []);
    });
});


describe('values', () => {
    test('every type is printed as row_to_json() prints it', async (t) => {
        const live = await open(t, 'wide', 'id', ['1', '2', '3']);

        /* the raw text of a frame, and the row's text within it */
        const frame = async (op) => {
            const text = await live.client.inbox.find(
                (x) => x.includes(`"database_op":"${op}"`), `a ${op}`);

            return text;
        };

        const printed = async (id) => {
            const rows = await stack.sql(
                `select row_to_json(w)::text as row from wide w
                 where id = ${id}`);

            return rows[0].row.slice(1, -1);
        };

        await stack.sql("set timezone to 'UTC'");

        for (const [i, values] of WIDE_ROWS.entries()) {
            await stack.sql(`insert into wide values (${values})`);

            const text = await frame('insert');
            const row = await printed(i + 1);

            assert.ok(text.includes(row), `${text}\nlacks\n${row}`);
        }

        await stack.sql("update wide set t = 'again' where id = 1");

        const text = await frame('update');
        const row = await printed(1);

        assert.ok(text.includes(row), `${text}\nlacks\n${row}`);

        /* and the snapshot */
        const c = await Client.connect(stack.base);

        t.after(() => c.ws.terminate());
        await c.join('u');
        c.send(JSON.stringify([c.joins.u, 's', 'u', 'subscribe',
                               subscription('wide', 'id', ['1', '2', '3'])]));

        const reply = await c.text('the reply');

        for (const id of [1, 2, 3]) {
            const expected = await printed(id);

            assert.ok(reply.includes(expected), `${reply}\nlacks\n${expected}`);
        }
    });

    test('a large unchanged value comes with an update', async (t) => {
        const live = await open(t, 'posts', 'userid', '150',
                                { query: SELECT });

        /* large and random: out of line, and absent from the WAL's row */
        await stack.sql(`insert into posts
                         select 50, 150, string_agg(md5(n::text), '')
                         from generate_series(1, 2000) n`);

        const [inserted] = await live.next();

        await stack.sql('update posts set updated_at = now() where id = 50');

        const [updated] = await live.next();

        assert.equal(updated.content.length, 64000);
        assert.equal(updated.content, inserted.content);
    });

    for (const [i, [type, [value, same, other]]] of
         Object.entries(FIELDS).entries()) {

        test(`eq on a column of type ${type}`, async (t) => {
            await stack.sql(`insert into f${i} values (1, $1, 'a'),
                             (2, $2, 'b'), (3, null, 'c')`, [value, other]);

            const one = await open(t, `f${i}`, 'f', same);
            const both = await open(t, `f${i}`, 'f', [same, other]);
            const select = `select * from f${i} where f = '`
                           + `${value.replaceAll("'", "''")}'`;

            assert.deepEqual([...one.rows.keys()], ['1']);
            assert.deepEqual([...both.rows.keys()].sort(), ['1', '2']);

            await stack.sql(`insert into f${i} values (4, $1, 'd'),
                             (5, $2, 'e'), (6, null, 'f')`, [value, other]);
            await one.converges(select, stack);
            await both.converges(`select * from f${i} where f is not null`,
                                 stack);
            assert.equal(one.rows.size, 2);
            assert.equal(both.rows.size, 4);

            await stack.sql(`update f${i} set f = $1 where id = 4`, [other]);
            assert.deepEqual(await one.next(),
                             [{ id: 4, database_op: 'delete' }]);
            await stack.sql(`delete from f${i} where id = 1`);
            assert.deepEqual(await one.next(),
                             [{ id: 1, database_op: 'delete' }]);
            await both.converges(`select * from f${i} where f is not null`,
                                 stack);
        });
    }

    for (const [i, [type, [value, same, other]]] of
         Object.entries(FIELDS).entries()) {

        test(`eq on a domain over ${type}`, async (t) => {
            const live = await open(t, `df${i}`, 'f', same);

            await stack.sql(`insert into df${i} values (1, $1, 'a'),
                             (2, $2, 'b'), (3, null, 'c')`, [value, other]);
            assert.deepEqual((await live.next()).map((r) => r.id), [1]);
            await stack.sql(`update df${i} set f = $1 where id = 2`, [value]);
            assert.deepEqual((await live.next()).map((r) => r.id), [2]);
            await stack.sql(`update df${i} set f = $1 where id = 1`, [other]);
            assert.deepEqual(await live.next(),
                             [{ id: 1, database_op: 'delete' }]);
            await stack.sql(`delete from df${i} where id = 2`);
            assert.deepEqual(await live.next(),
                             [{ id: 2, database_op: 'delete' }]);
        });
    }

    test('a domain over a domain, and its order', async (t) => {
        const live = await open(t, 'feelings', 'p', '10', { equality: 'gt' });

        await stack.sql('insert into feelings (id, p) values (1, 9), (2, 11)');
        assert.deepEqual((await live.next()).map((r) => r.id), [2]);
        await stack.sql('update feelings set p = 100 where id = 1');
        assert.deepEqual((await live.next()).map((r) => r.id), [1]);
        await stack.sql('update feelings set p = 5');
        assert.deepEqual((await live.next()).map((r) => r.id).sort(), [1, 2]);
        assert.equal(live.rows.size, 0);
    });

    test('a domain\'s NaN and infinity', async (t) => {
        for (const field of ['n', 'f']) {
            for (const value of ['NaN', 'Infinity', '-Infinity', '1.5']) {
                const live = await open(t, 'specials', field, value);

                await stack.sql('insert into specials values'
                                + ` (1, '${value}', '${value}')`);
                assert.deepEqual((await live.next()).map((r) => r.id), [1]);
                await stack.sql('update specials set n = 2, f = 2');
                assert.deepEqual(await live.next(),
                                 [{ id: 1, database_op: 'delete' }]);
                await stack.sql('delete from specials');
                await live.close();
            }
        }
    });

    for (const [equality, value, has] of [
        ['eq', 'glad', (m) => m == 'glad'],
        ['eq', ['sad', 'Fine, "really"'], (m) => m && m != 'glad'],
        ['!eq', 'glad', (m) => m && m != 'glad'],
        ['!eq', ['sad', 'glad'], (m) => m?.[0] == 'F'],
        /* in the order in which they were declared, not as text */
        ['gt', 'Fine, "really"', (m) => m == 'glad'],
        ['gte', 'Fine, "really"', (m) => m && m != 'sad'],
        ['lt', 'glad', (m) => m && m != 'glad'],
        ['lte', 'sad', (m) => m == 'sad'],
    ]) {
        test(`an enum: ${equality} ${value}`, async (t) => {
            const moods = ['sad', 'Fine, "really"', 'glad', null];
            const field = `${value}`.includes('sad') ? 'm' : 's';
            const live = await open(t, 'feelings', field, value,
                                    { equality });

            for (let i = 0; i < 16; i++) {
                const m = moods[(i * 3) % 4];

                await stack.sql('insert into feelings values (100, $1, $2)'
                                + ' on conflict (id) do update set m = $1,'
                                + ' s = $2',
                                [m, m == 'sad' ? null : m]);

                const shown = field == 's' && m == 'sad' ? null : m;
                const query = `select * from feelings where ${field}::text`
                              + ` = any ($$${pgArray(moods.filter(has))}$$)`;

                await live.converges(query, stack);
                assert.equal(live.rows.has('100'), Boolean(has(shown)));
            }

            await stack.sql('delete from feelings');
            await live.converges('select * from feelings', stack);
        });
    }

    test('a value may come as a number or a boolean', async (t) => {
        await stack.sql("insert into posts values (51, 151, 'x')");

        const live = await open(t, 'posts', 'userid', 151, { query: SELECT });

        assert.deepEqual([...live.rows.keys()], ['51']);
    });
});


describe('refusals name what is wrong', () => {
    const posts = (query, more) => ['posts', 'userid', '1',
                                    { query, ...more }];

    for (const [what, args, reason] of [
        ['insert', posts("insert into posts values (9, 1, 'x')"),
         /this is .*insert/i],
        ['update', posts('update posts set userid = 2'), /this is .*update/i],
        ['delete', posts('delete from posts'), /this is .*delete/i],
        ['truncate', posts('truncate posts'), /this is .*truncate/i],
        ['drop', posts('drop table posts'), /this is .*drop/i],
        ['create', posts('create table x (y int)'), /this is .*create/i],
        ['select into', posts('select * into x from posts'), /into/i],
        ['copy', posts("copy posts to program 'id'"), /this is .*copy/i],
        ['do', posts('do $$ begin end $$'), /this is .*do/i],
        ['set', posts("set work_mem to '1GB'"), /this is .*set/i],
        ['explain', posts('explain select * from posts'), /this is .*explain/i],
        ['two statements', posts('select * from posts; select 1'),
         /2 statements/],
        ['a statement behind a semicolon',
         posts('select * from posts; drop table posts'),
         /2 statements/],
        ['for update', posts('select * from posts for update'),
         /FOR UPDATE/],
        ['a data-modifying with',
         posts('with x as (delete from posts returning *) select * from x'),
         /WITH/],
        ['a parameter', posts('select * from posts where id = $1'),
         /a parameter like \$1/],
        ['values', posts('values (1)'), /VALUES/],
        ['nothing', posts(''), /query is .*empty/],
        ['a syntax error', posts('select * form posts'), /syntax error.*form/],
        ['a group without its key',
         posts('select userid from posts group by userid'), /column "id"/],
        ['a union that does not select the field',
         posts('select id from posts union select id from posts'),
         /"userid" is not a column of the query's result: select it/],
        ['an unknown table', ['absent', 'userid', '1'], /absent/],
        ['an unknown column of the query', posts('select nope from posts'),
         /nope/],
        ['an unknown field', ['posts', 'nofield', '1'], /nofield/],
        ['an unknown pk', ['posts', 'userid', '1', { pk: 'nokey' }], /nokey/],
        ['a pk that is not unique', ['posts', 'userid', '1',
         { pk: 'content' }], /content/],
        ['an unknown operator', ['posts', 'userid', '1',
         { equality: 'resembles' }], /resembles/],
        ['no operator', ['posts', 'userid', '1', { equality: null }],
         /equality/],
        ['a wrong value', ['posts', 'userid', 'abc'], /abc/],
        ['a value too large', ['posts', 'userid', '99999999999'],
         /99999999999/],
        ['one wrong value of a list', ['posts', 'userid', ['57', 'abc']],
         /abc/],
        ['no value', ['posts', 'userid', []], /value/],
        ['null', ['posts', 'userid', null], /value/],
        ['an object as value', ['posts', 'userid', { a: 1 }], /value/],
        ['no event', ['posts', 'userid', '1', { event: null }], /event/],
        ['an event of the protocol', ['posts', 'userid', '1',
         { event: 'phx_reply' }], /phx_|event/],
        ['a query that is no string', ['posts', 'userid', '1',
         { query: 5 }], /query/],
        ['the default replica identity', ['keyed', 'userid', '1'],
         /alter table .*keyed.* replica identity full/i],
        ['a table without a pk', ['bare', 'userid', '1'], /bare/],
        ['a view', ['seen', 'userid', '1'], /is not a table/],
        ['a filter on json', ['wide', 'j', '{}'], /json/],
        ['a label that an enum does not have', ['feelings', 'm', 'joyful'],
         /invalid input value for enum mood: "joyful"/],
        ['a part of a label', ['feelings', 'm', 'gla',
         { equality: 'starts_with' }], /"m" of type mood: .*is an enum/],
        ['an operator that a domain does not have', ['feelings', 'p', '1',
         { equality: 'contains' }], /"p" of type points: .*integer/],
        ['a value that a domain does not have', ['feelings', 'p', 'x'],
         /invalid input syntax for type integer/],
        ['a catalog', ['pg_class', 'relname', 'x', { pk: 'oid' }],
         /belongs to PostgreSQL itself/],
    ]) {
        test(what, async () => {
            let refusal;

            await assert.rejects(Live.open(stack.base, ...args),
                                 (err) => { refusal = err; return true; });
            assert.ok(refusal instanceof Refused, refusal.stack);
            assert.match(refusal.message, reason);
            assert.doesNotMatch(refusal.message, /\n/);
        });
    }

    test('none of them did anything', async () => {
        const [{ count }] = await stack.sql(
            'select count(*) from pg_class where relname = $1', ['x']);

        assert.equal(count, '0');
        assert.equal((await stack.sql('select from posts limit 1')).length, 1);
    });

    test('the default replica identity serves a filter on the key',
         async (t) => {
        const live = await open(t, 'keyed', 'id', ['200', '201']);

        await stack.sql('insert into keyed values (200, 1)');
        assert.deepEqual(await live.next(), [
            { id: 200, userid: 1, database_op: 'insert' }]);
        await stack.sql('delete from keyed where id = 200');
        assert.deepEqual(await live.next(),
                         [{ id: 200, database_op: 'delete' }]);
    });

    test('semicolons and comments inside are no reason', async (t) => {
        const live = await open(t, 'posts', 'userid', '1', {
            query: "select id /* ; */ from posts where content <> '; --';" });

        assert.deepEqual(live.response.rows, []);
    });

    test('a channel lives on after a refusal', async (t) => {
        const c = await Client.connect(stack.base);

        t.after(() => c.ws.terminate());
        await c.join('u');

        for (let i = 0; i < 3; i++) {
            const reply = await c.call('u', 'subscribe',
                                       subscription('absent', 'f', '1'));

            assert.equal(reply.status, 'error');
        }

        assert.equal((await c.call('u', 'subscribe',
                                   subscription('posts', 'userid', '1')))
                     .status, 'ok');
    });

    for (const payload of [{}, [], null, 'x', 5, { body: 1 }]) {
        test(`the payload ${JSON.stringify(payload)}`, async (t) => {
            const c = await Client.connect(stack.base);

            t.after(() => c.ws.terminate());
            await c.join('u');

            const reply = await c.call('u', 'subscribe', payload);

            assert.equal(reply.status, 'error');
            assert.ok(reply.response.reason.length > 0);
        });
    }
});


describe('routes are not topics of clients', () => {
    test('a route nobody subscribed is refused', async (t) => {
        const c = await Client.connect(stack.base);

        t.after(() => c.ws.terminate());
        await assert.rejects(c.join(`rt:${'0'.repeat(64)}`), /refused/);
    });

    test('a member cannot push there', async (t) => {
        const [a, b] = [
            await open(t, 'posts', 'userid', '160', { query: SELECT }),
            await open(t, 'posts', 'userid', '160', { query: SELECT })];

        const reply = await a.client.call(a.topic, 'rows', { body: 'forged' });

        assert.equal(reply.status, 'error');
        assert.deepEqual(await b.client.pending(), []);
        await stack.sql("insert into posts values (60, 160, 'x')");
        await b.next();
        await a.next();
    });
});


test('nginx without a replicator says so', async (t) => {
    const alone = await startStack({ postgres: false, workers: 1 });
    const c = await Client.connect(alone.base);

    t.after(() => alone.stop());
    await c.join('u');

    const reply = await c.call('u', 'subscribe',
                               subscription('posts', 'userid', '1'));

    assert.equal(reply.status, 'error');
    assert.match(reply.response.reason, /replicator/);
    c.push('u', 'e', { body: 1 });
    assert.deepEqual(await c.event('u', 'e'), { body: 1 });
    await c.close();
});
