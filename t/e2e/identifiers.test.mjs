/*
 * Names: schemas, search_path, quotes, mixed case, Unicode; how a client may
 * write table, field and key; and joins written as the SDK's builder does.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Live, Refused } from './lib/live.mjs';
import { startStack } from './lib/stack.mjs';


let stack;

before(async () => {
    stack = await startStack({ workers: 1, setup: `
        create table posts (id int primary key, userid int, title text);
        alter table posts replica identity full;
        create table users (id int primary key, name text);
        alter table users replica identity full;

        create schema app;
        create table app.posts (id int primary key, userid int, own int);
        alter table app.posts replica identity full;
        create table app.only_here (id int primary key, f int);
        alter table app.only_here replica identity full;

        create schema "Ap.p ""x""";
        create table "Ap.p ""x"""."Ta.b ""le""" ("I.d ""1""" int primary key,
                                                 "Fi.eld" int, "fi.eld" int);
        alter table "Ap.p ""x"""."Ta.b ""le""" replica identity full;

        create table "Posts" (id int primary key, "userId" int, "USERID" int,
                              "Key" text not null unique);
        alter table "Posts" replica identity full;

        create table "größe 表" (id int primary key, "Größe" int, "ключ" int,
                                 "😀" int);
        alter table "größe 表" replica identity full;

        create table "select" (id int primary key, "from" int, "order" int);
        alter table "select" replica identity full;

        create table words (id int primary key, "system_user" text,
                            "merge_action" int);
        alter table words replica identity full;
        create function public."json_scalar"(text) returns text immutable
            language sql as $$ select 'own ' || $1 $$;

        create table ops (id int primary key, database_op text);
        alter table ops replica identity full;
        create table keyed_ops (database_op int primary key, id int unique
                                not null);
        alter table keyed_ops replica identity full;

        create table ${'x'.repeat(63)} (id int primary key,
                                        ${'y'.repeat(63)} int);
        alter table ${'x'.repeat(63)} replica identity full;` });
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


/* Subscribes, and sees a row of the table come and go. */
async function serves(t, table, columns, ...args) {
    const live = await open(t, ...args);

    await stack.sql(`insert into ${table} values (${columns})`);

    const [row] = await live.next();

    assert.equal(row.database_op, 'insert');
    await stack.sql(`delete from ${table}`);
    assert.equal((await live.next())[0].database_op, 'delete');
}


const ODD = '"Ap.p ""x"""."Ta.b ""le"""';

describe('names that are served', () => {
    for (const [what, table, columns, payload] of [
        ['a schema', 'app.posts', '1, 1, 0',
         { topic: 'app.posts:userid', query: 'select * from app.posts',
           table_field: 'userid' }],
        ['a schema in the query alone', 'app.posts', '1, 1, 0',
         { topic: 'posts:own', query: 'select * from app.posts',
           table_field: 'own', field_value: '0' }],
        ['another case of what has no quotes', 'posts', '1, 1, null',
         { topic: 'POSTS:UserID', query: 'SELECT * FROM Posts',
           table_field: 'UserID', pk: 'ID' }],
        ['a table in front of field and key', 'posts', '1, 1, null',
         { table_field: 'posts.userid', pk: 'posts.id' }],
        ['schema and table in front of both', 'posts', '1, 1, null',
         { table_field: 'public.posts.userid', pk: 'public.posts.id' }],
        ['an alias', 'posts', '1, 1, null',
         { alias: 'p', query: 'select p.* from posts p' }],
        ['an alias in front', 'posts', '1, 1, null',
         { table_field: 'p.userid', pk: 'P.id',
           query: 'select p.* from posts as p' }],
        ['a quoted alias', 'posts', '1, 1, null',
         { table_field: '"P p".userid', pk: '"P p"."id"',
           query: 'select * from posts as "P p"' }],
        ['the topic says the alias', 'posts', '1, 1, null',
         { topic: 'p:userid', query: 'select * from posts p' }],
        ['no topic', 'posts', '1, 1, null', { topic: null }],
        ['a topic without a table', 'posts', '1, 1, null',
         { topic: 'anything' }],
        ['mixed case', '"Posts"', "1, 1, 2, 'k'",
         { topic: 'Posts:userId', table_field: 'userId', pk: 'id',
           query: 'select * from "Posts"' }],
        ['the other case of the same name', '"Posts"', "1, 2, 1, 'k'",
         { topic: '"Posts":USERID', table_field: 'USERID', pk: 'Key',
           query: 'select * from "Posts"' }],
        ['quotes around it', '"Posts"', "1, 1, 2, 'k'",
         { topic: '"Posts":"userId"', table_field: '"userId"', pk: '"Key"',
           query: 'select * from "Posts"' }],
        ['points and quotes within', ODD, '1, 1, 0',
         { topic: null, table_field: '"Fi.eld"', pk: '"I.d ""1"""',
           query: `select * from ${ODD}` }],
        ['Unicode', '"größe 表"', '1, 1, 0, 0',
         { topic: 'größe 表:Größe', table_field: 'Größe',
           query: 'select * from "größe 表"' }],
        ['Unicode without quotes', '"größe 表"', '1, 0, 1, 0',
         { topic: null, table_field: 'ключ',
           query: 'select ключ, id from "größe 表"' }],
        ['an emoji', '"größe 表"', '1, 0, 0, 1',
         { topic: null, table_field: '😀',
           query: 'select * from U&"gr\\00F6\\00dfe \\8868"' }],
        ['key words', '"select"', '1, 1, 0',
         { topic: 'select:from', table_field: 'from',
           query: 'select "from", id from "select"' }],
        ['names as long as can be', 'x'.repeat(63), '1, 1',
         { topic: `${'x'.repeat(63)}:${'y'.repeat(63)}`,
           table_field: 'y'.repeat(63),
           query: `select * from ${'x'.repeat(63)}` }],
        ['and those that PostgreSQL cuts', 'x'.repeat(63), '1, 1',
         { topic: null, table_field: 'y'.repeat(63),
           query: `select * from ${'x'.repeat(70)}` }],
    ]) {
        test(what, async (t) => {
            await serves(t, table, columns, 'posts', 'userid', '1', payload);
        });
    }
});


describe('names that are refused', () => {
    for (const [what, payload, reason] of [
        ['another schema', { query: 'select * from nowhere.posts' },
         /there is no table "nowhere"."posts"/],
        ['a name in quotes is as it is', { query: 'select * from "POSTS"' },
         /there is no table "POSTS"/],
        ['a table of another schema alone',
         { topic: null, query: 'select * from only_here' },
         /there is no table "only_here"/],
        ['a topic of another table', { topic: 'users:userid' },
         /topic "users:userid" names another table than table_field, which is of "public"."posts"/],
        ['a topic of another schema', { topic: 'app.posts:userid' },
         /topic "app.posts:userid" names another table/],
        ['a field in quotes is as it is', { table_field: '"UserId"' },
         /table_field "\\"UserId\\"" is not a column of "public"."posts"/],
        ['a field that is none', { table_field: 'a b' },
         /table_field "a b" is not a column/],
        ['a field of another table', { table_field: 'users.id' },
         /"users.id" is of no table in the query's FROM/],
        ['a system column', { table_field: 'ctid' }, /is not a column/],
        ['half a name', { table_field: 'posts.' },
         /"posts." is not the name of a column/],
        ['an open quote', { table_field: '"userid' },
         /is not the name of a column/],
        ['an expression', { table_field: 'userid + 1' }, /is not a column/],
        ['an attempt', { table_field: 'userid" = 1 or "userid' },
         /is not the name|is not a column/],
        ['an alias that is none', { alias: 'q' },
         /alias "q" is not what one table of the query's FROM is called/],
        ['the name where there is an alias', { table_field: 'x.userid',
         query: 'select * from posts p' }, /is of no table/],
        ['a field of two tables',
         { topic: null, table_field: 'id', pk: 'p.id',
           query: 'select p.* from posts p join users u on u.id = p.userid' },
         /"id" is a column of several tables .* write the table's alias/],
        ['a field of none of two',
         { topic: null, table_field: 'nofield', pk: 'p.id',
           query: 'select p.* from posts p join users u on u.id = p.userid' },
         /"nofield" is not a column of any table/],
        ['a table twice, and no alias said',
         { query: 'select a.* from posts a join posts b on b.id = a.id' },
         /"userid" is a column of several tables/],
    ]) {
        test(what, async () => {
            await refused(Live.open(stack.base, 'posts', 'userid', '1',
                                    payload), reason);
        });
    }
});


test('search_path decides as for any query', async (t) => {
    const [{ name }] = await stack.sql('select current_database() as name');
    const query = 'select * from posts';

    await stack.sql(`alter database ${name} set search_path = app, public`);
    await stack.replicator.stop();
    await stack.replicator.start();

    await serves(t, 'app.posts', '1, 1, 0', 'posts', 'userid', '1', { query });
    await serves(t, 'app.only_here', '1, 1', 'only_here', 'f', '1');

    const live = await open(t, 'public.posts', 'userid', '1',
                            { query: 'select * from public.posts' });

    await stack.sql("insert into public.posts values (5, 1, 'p')");
    assert.equal((await live.next())[0].title, 'p');

    await stack.sql(`alter database ${name} reset search_path`);
    await stack.replicator.stop();
    await stack.replicator.start();
});


describe('joins, as the builder of the SDK writes them', () => {
    const JOIN = 'select p.id, p.title, u.name from posts p'
                 + ' join users u on u.id = p.userid';

    before(async () => {
        await stack.sql("delete from posts; delete from users;"
                        + " insert into users values (1, 'ann'), (2, 'bob')");
    });

    for (const [what, payload] of [
        ['the alias', { alias: 'p' }],
        ['the alias, in front of field and key too',
         { alias: 'p', table_field: 'p.userid', pk: 'p.id' }],
        ['the field has the alias', { table_field: 'p.userid', pk: 'p.id' }],
        ['the topic names the table', {}],
        ['the field is of one table alone', { topic: null }],
        ['the key is missing', { pk: undefined }],
        ['in one more table', { alias: 'p', query: `${JOIN} join app.only_here`
                                + ' o on true' }],
    ]) {
        test(what, async (t) => {
            const query = payload.query ?? JOIN;

            await stack.sql('delete from app.only_here;'
                            + ' insert into app.only_here values (1, 1)');

            const live = await open(t, 'posts', 'userid', ['1', '2'],
                                    { query: JOIN, ...payload });
            const converges = () => live.converges(
                `${query} where p.userid in (1, 2)`, stack);

            await stack.sql("insert into posts values (1, 1, 'a'), (2, 2, 'b')");
            await converges();
            await stack.sql("update users set name = name || '!'");
            await converges();
            await stack.sql('update posts set userid = 3 where id = 1');
            await converges();
            await stack.sql('delete from posts');
            await converges();
        });
    }

    test('the field and the key are of the other table', async (t) => {
        const query = 'select u.id, u.name, count(p.id) as n from users u'
                      + ' left join posts p on p.userid = u.id group by u.id';
        const live = await open(t, 'users', 'name', 'carl',
                                { query, table_field: 'u.name' });

        await stack.sql("insert into users values (7, 'carl')");
        await stack.sql('insert into posts values (70, 7), (71, 7)');
        await live.converges(query.replace(
            'group', "where u.name = 'carl' group"), stack);
        await stack.sql('delete from users where id = 7');
        await live.converges(query.replace(
            'group', "where u.name = 'carl' group"), stack);
    });

    test('the key is of the other table', async (t) => {
        const query = (where) => 'select o.id, o.f, p.title from posts p'
                      + ` join app.only_here o on o.f = p.id ${where}`;
        const live = await open(t, 'posts', 'p.userid', '30',
                                { query: query(''), pk: 'o.id' });

        for (const sql of ['delete from app.only_here',
                           'insert into posts values (300, 30), (301, 31)',
                           'insert into app.only_here values (1, 300),'
                           + ' (2, 300), (3, 301)',
                           'update posts set userid = 30 where id = 301',
                           'delete from app.only_here where id = 1',
                           'delete from posts']) {
            await stack.sql(sql);
            await live.converges(query('where p.userid = 30'), stack);
        }
    });

    test('an aggregate alone is one row', async (t) => {
        const query = (where, key = '') => 'select count(*) as n, max(id) as'
                                           + ` top${key} from posts ${where}`;
        const live = await open(t, 'posts', 'userid', '40',
                                { query: query('') });

        assert.deepEqual(live.response.rows, [
            { n: 0, top: null, key: '', database_op: 'query' }]);

        for (const sql of ['insert into posts values (400, 40), (401, 40)',
                           'delete from posts where id = 401']) {
            await stack.sql(sql);
            await live.converges(query('where userid = 40', ", '' as key"),
                                 stack);
        }
    });

    test('grouped by a column that is no key of the table', async (t) => {
        const select = (where) => 'select userid as owner, count(*) as n from'
                       + ` posts ${where} group by userid`;
        const live = await open(t, 'posts', 'userid', '0', {
            equality: 'gt', pk: 'owner',
            query: `${select('')} having count(*) > 0 order by 1 desc` });

        for (const sql of ['insert into posts values (80, 8), (81, 8), (90, 9)',
                           'delete from posts where id = 81',
                           'update posts set userid = 9 where id = 80',
                           'delete from posts']) {
            await stack.sql(sql);
            await live.converges(select('where userid > 0'), stack);
        }
    });

    for (const [what, payload, reason] of [
        ['grouped, without its key',
         { query: 'select userid, count(*) from posts group by userid' },
         /has no column "id" to tell its rows apart by: select it/],
        ['grouped, with its key twice',
         { query: 'select userid as id, count(*) as id from posts'
                  + ' group by userid' }, /has 2 columns "id"/],
        ['distinct, without its key', { query: 'select distinct userid'
                                               + ' from posts' },
         /has no column "id"/],
        ['a union, without its key',
         { query: 'select userid from posts union select userid from posts' },
         /no column "id" to tell its rows apart by/],
        ['exact is no boolean', { exact: 'yes' }, /exact must be true/],
    ]) {
        test(`refused: ${what}`, async () => {
            await refused(Live.open(stack.base, 'posts', 'userid', '1',
                                    payload), reason);
        });
    }

    test('exact keeps to the window of ORDER BY and LIMIT', async (t) => {
        const query = 'select * from posts order by id desc limit 2';
        const live = await open(t, 'posts', 'userid', '5',
                                { query, exact: true });

        for (const sql of [
            'insert into posts values (1, 5), (2, 5), (3, 5)',
            'insert into posts values (4, 5)', 'delete from posts where id = 4',
            'update posts set userid = 6 where id = 3', 'delete from posts'])
        {
            await stack.sql(sql);
            await live.converges(query.replace('order', 'where userid = 5'
                                               + ' order'), stack);
        }
    });
});


/* as a client of PostgreSQL 16 and 17 writes them; older servers need not */
describe('words that later versions of PostgreSQL reserve', () => {
    const word = (value) => ({ id: 1, system_user: value, merge_action: 1 });

    test('as columns', async (t) => {
        const live = await open(t, 'words', '"merge_action"', '1', {
            query: 'select id, "system_user", w."merge_action" from words w'
                   + ' where "system_user" is not null' });

        await stack.sql("insert into words values (1, 'a', 1)");
        assert.deepEqual(await live.next(),
                         [{ ...word('a'), database_op: 'insert' }]);

        const later = await open(t, 'words', '"system_user"', 'a');

        assert.deepEqual([...later.rows.values()], [word('a')]);
        await stack.sql('delete from words');
    });

    test('as a function', async (t) => {
        const live = await open(t, 'words', 'id', '2', {
            query: 'select id, "json_scalar"("system_user") as word'
                   + ' from words' });

        await stack.sql("insert into words values (2, 'b', 1)");
        assert.deepEqual(await live.next(),
                         [{ id: 2, word: 'own b', database_op: 'insert' }]);
        await stack.sql('delete from words');
    });
});


/* each row has a member of that name, in which JSON.parse keeps the last */
describe('a column called database_op', () => {
    const REASON = /the query has a column "database_op", .* another name/;

    for (const query of [
        'select * from ops',
        'select ops.* from ops, posts p where p.id = ops.id',
        'select id, case id when 1 then null else database_op end from ops',
        'select id, (select o.database_op from ops o limit 1) from ops',
        'select id, database_op collate "C" from ops',
        'select id, database_op from ops',
        "select id, 'x' as database_op from ops",
        'select id, (ops).database_op from ops',
        'select * from (select id, database_op from ops) ops',
        'select id, max(database_op) as database_op from ops group by id',
        'select id, database_op from ops union select id, name from users',
    ]) {
        test(`is refused: ${query}`, async () => {
            await refused(Live.open(stack.base, 'ops', 'id', '1', {
                query, topic: null, pk: /, posts/.test(query) ? 'ops.id' : 'id',
                table_field: /, posts/.test(query) ? 'ops.id' : 'id' }), REASON);
        });
    }

    test('is refused as a key', async () => {
        await refused(Live.open(stack.base, 'keyed_ops', 'id', '1', {
            query: 'select id, 1 as a from keyed_ops', pk: 'database_op' }),
                      /the key has a column "database_op"/);
    });

    test('is read under another name, and filters', async (t) => {
        const live = await open(t, 'ops', 'database_op', 'x', {
            query: 'select id, database_op as op from ops'
                   + " where database_op <> ''" });

        await stack.sql("insert into ops values (1, 'x')");
        assert.deepEqual(await live.next(),
                         [{ id: 1, op: 'x', database_op: 'insert' }]);
        await stack.sql('delete from ops');
        assert.deepEqual(await live.next(),
                         [{ id: 1, database_op: 'delete' }]);
    });

    test('of another table does no harm', async (t) => {
        const live = await open(t, 'users', 'id', '9', {
            query: 'select u.*, o.database_op as op from users u'
                   + ' join ops o on o.id = u.id', topic: 'u:id' });

        assert.equal(live.rows.size, 0);
    });
});
