/*
 * What a query may not do: hostile and odd ones, each with the reason that
 * its developer is told; and probes that none of them was run.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Live, Refused } from './lib/live.mjs';
import { startStack } from './lib/stack.mjs';


let stack;

before(async () => {
    stack = await startStack({ workers: 1, setup: `
        create table posts (id int primary key, userid int, title text,
                            body jsonb, "order" int);
        alter table posts replica identity full;
        insert into posts values (1, 1, 'one', '{"a": 1}', 1);

        create table users (id int primary key, name text, count int);
        alter table users replica identity full;
        insert into users values (1, 'ann', 5);

        create table secrets (id int primary key, s text);
        create view seen as select * from posts;
        create materialized view stored as select * from posts;
        create unlogged table fleeting (id int primary key, userid int);
        create table parent (id int primary key, userid int);
        create table child () inherits (parent);
        create sequence numbers;
        create schema hidden;
        create table hidden.posts (id int primary key, userid int);

        create table probes (what text);

        create function probe(what text) returns int language plpgsql as
            $$ begin insert into probes values (what); return 1; end $$;
        create function probe(a int, b int) returns int language sql
            immutable as 'select a + b';
        create function liar(int) returns int stable language plpgsql as
            $$ begin return probe('a stable one that is not'); end $$;
        create function sly(p posts) returns int language plpgsql as
            $$ begin perform probe('a field'); return 1; end $$;
        create function sly_row(r record) returns text language plpgsql as
            $$ begin perform probe('a row'); return ''; end $$;
        create function honest(p posts) returns text language sql stable as
            $$ select p.title || '!' $$;
        create function many() returns setof int language sql stable as
            'select 1';
        create function compare(a int, b int) returns bool
            language plpgsql as
            $$ begin perform probe('an operator'); return a = b; end $$;
        create operator === (leftarg = int, rightarg = int,
                             function = compare);
        create function compared(a int, b int) returns bool
            language sql immutable as 'select a = b';
        create operator ==== (leftarg = int, rightarg = int,
                              function = compared);
        create type pair as (a int, b int);
        create function cast_pair(int) returns pair language plpgsql as
            $$ begin perform probe('a cast'); return row($1, 1); end $$;
        create cast (int as pair) with function cast_pair(int);

        create role guarded login;
        grant usage on schema public to guarded;
        grant select on posts to guarded;
        grant select (id) on users to guarded;
        alter role guarded replication;` });
});

after(() => stack?.stop());


function subscribe(query, more = {}) {
    return Live.open(stack.base, 'posts', 'userid', '1', { query, ...more },
                     false);
}


async function refused(promise, reason) {
    await assert.rejects(promise, (err) => {
        assert.ok(err instanceof Refused, err.stack);
        assert.match(err.message, reason);
        assert.doesNotMatch(err.message, /\n/);
        return true;
    });
}


const VOLATILE = /is volatile/;
const TELLS = /not allowed here, it tells more of the server/;
const CATALOG = /belongs to PostgreSQL itself/;

describe('refused', () => {
    for (const [query, reason] of [

        /* other statements, in many dresses */
        ['', /query is .*empty/],
        [';', /the query is empty/],
        ['-- nothing', /the query is empty/],
        ["insert into probes values ('insert')", /this is INSERT/],
        ['update posts set userid = 2', /this is UPDATE/],
        ['delete from posts', /this is DELETE/],
        ['merge into posts using users on false when not matched then'
         + ' do nothing', /this is MERGE/],
        ['drop table probes', /this is DROP/],
        ['truncate posts', /this is TRUNCATE/],
        ["copy posts to program 'touch /tmp/probe'", /this is COPY/],
        ['do $$ begin end $$', /this is DO/],
        ['call probe()', /this is CALL/],
        ['explain analyze select * from posts', /this is EXPLAIN/],
        ['prepare x as select 1', /this is PREPARE/],
        ['declare c cursor for select 1', /this is DECLARE/],
        ['begin', /this is TRANSACTION/],
        ['commit; select * from posts', /2 statements/],
        ['select * from posts; select * from posts', /2 statements/],
        ['lock posts', /this is LOCK/],
        ['listen x', /this is LISTEN/],
        ["notify x, 'y'", /this is NOTIFY/],
        ['set role postgres', /this is VARIABLE SET/],
        ['create table x as select 1', /this is CREATE TABLE AS/],
        ['table posts; drop table probes', /2 statements/],
        ['select * into stolen from posts', /SELECT INTO/],
        ['select * from posts for update', /FOR UPDATE/],
        ['select * from (select * from posts for share) q, posts',
         /FOR UPDATE and FOR SHARE/],
        ["with x as (insert into probes values ('with') returning *)"
         + ' select * from posts', /INSERT, UPDATE, DELETE or MERGE/],
        ['with x as (delete from posts returning id) select * from posts'
         + ' where id in (select id from x)', /INSERT, UPDATE, DELETE/],
        ['select * from posts where id = $1', /parameter like \$1/],
        ['values (1)', /VALUES/],
        ['select 1', /reads no table/],
        ['select * from generate_series(1, 10)', /function in FROM/],
        ["select * from posts, query_to_xml('select 1', true, true, '')",
         /function in FROM/],
        ['select * from posts tablesample system (10)', /TABLESAMPLE/],
        ['select * from posts as p (a, b)', /column names after/],
        ['selec * from posts', /syntax error/],
        ['select * from posts where (', /syntax error/],
        [`select '\0' from posts`, /NUL/],
        ['select id from posts union select id from posts',
         /"userid" is not a column of the query's result/],
        ["select * from posts union select probe('arm'), 1, '', null, 1"
         + ' from posts', VOLATILE],
        ["select * from (select probe('in') as userid, 1 as id from posts) s",
         VOLATILE],
        ["values (probe('values'), 1) union select id, userid from posts",
         VOLATILE],
        ["select * from posts union select * from posts order by"
         + " probe('order')", VOLATILE],
        ["with recursive t as (select probe('rec') as id, 1 as userid from"
         + ' posts union select * from t) select * from t', VOLATILE],
        ['select s.id, s.userid from (select * from posts) s where s.sly = 1',
         /"sly", which is volatile/],
        [`select ${'('.repeat(5000)}1${')'.repeat(5000)} from posts`,
         /too deep|longer|memory|stack/],

        /* functions that do something */
        ["select probe('a call') from posts", VOLATILE],
        ["select * from posts where probe('where') = 1", VOLATILE],
        ["select * from posts order by probe('order')", VOLATILE],
        ["select * from posts limit probe('limit')", VOLATILE],
        ["select * from posts where id in (select probe('sub'))", VOLATILE],
        ["with x as (select probe('cte') as y) select * from posts, x",
         VOLATILE],
        ["select * from posts p join users u on probe('on') = 1", VOLATILE],
        ["select case when false then probe('never') end from posts",
         VOLATILE],
        /* one of the name is, and which is called is not resolved */
        ['select probe(1, 2) from posts', VOLATILE],
        ["select public.probe('schema') from posts", VOLATILE],
        ['select "probe"(\'quoted\') from posts', VOLATILE],
        ["select PROBE('upper') from posts", VOLATILE],
        ['select pg_sleep(100) from posts', VOLATILE],
        ['select pg_catalog.pg_sleep(100) from posts', VOLATILE],
        ["select nextval('numbers') from posts", VOLATILE],
        ["select setval('numbers', 5) from posts", VOLATILE],
        ["select set_config('work_mem', '1GB', false) from posts", VOLATILE],
        ['select pg_terminate_backend(1) from posts', VOLATILE],
        ["select pg_notify('a', 'b') from posts", VOLATILE],
        ['select pg_advisory_lock(1) from posts', VOLATILE],
        ["select lo_import('/etc/passwd') from posts", VOLATILE],
        ["select lo_export(1, '/tmp/probe') from posts", VOLATILE],
        ["select query_to_xml('delete from posts', true, true, '')"
         + ' from posts', VOLATILE],
        ['select random() from posts', VOLATILE],
        ['select gen_random_uuid() from posts', VOLATILE],
        ['select clock_timestamp() from posts', VOLATILE],
        ["select currval('numbers') from posts", VOLATILE],
        ["select pg_logical_emit_message(false, 'a', 'b') from posts",
         VOLATILE],
        ["select pg_drop_replication_slot('x') from posts", VOLATILE],
        ["select ts_stat('delete from posts') from posts", VOLATILE],

        /* and what calls them without saying so */
        ['select p.sly from posts p', /"sly", which is volatile/],
        ['select (p).sly from posts p', /"sly", which is volatile/],
        ['select posts.sly from posts', /"sly", which is volatile/],
        ['select (p.*).sly from posts p', /"sly", which is volatile/],
        ['select sly(p) from posts p', VOLATILE],
        ['select p.count from posts p', /"count", which is not of one row/],
        ['select * from posts where id === 1', /operator "===" is not/],
        ['select * from posts where id operator(public.===) 1',
         /operator "===" is not/],
        ['select * from posts order by id using ===', /operator "===" is not/],
        ['select * from posts where id === any (select 1)',
         /operator "===" is not/],
        ['select id::pair from posts', /a cast to "pair" is not/],
        ['select cast(id as public.pair) from posts', /a cast to "pair"/],
        ['select pair(id) from posts', /a cast to "pair"/],

        /* functions that tell of the server */
        ["select pg_read_file('/etc/passwd') from posts", VOLATILE],
        ["select pg_ls_dir('/') from posts", VOLATILE],
        ["select pg_stat_file('/etc/passwd') from posts", VOLATILE],
        ['select pg_get_viewdef(1) from posts', TELLS],
        ['select pg_stat_get_activity(1) from posts', /not allowed here/],
        ['select pg_stat_get_backend_activity(1) from posts', TELLS],
        ['select pg_backend_pid() from posts', /not allowed here/],
        ['select pg_relation_filepath(1) from posts', /not allowed here/],
        ['select pg_current_wal_lsn() from posts', /not allowed here/],
        ["select current_setting('data_directory') from posts", TELLS],
        ["select table_to_xml('secrets', true, true, '') from posts", TELLS],
        ["select database_to_xml(true, true, '') from posts", TELLS],
        ['select txid_current() from posts', TELLS],
        ['select inet_server_addr() from posts', TELLS],
        ["select pg_catalog.current_setting('port') from posts", TELLS],

        /* sets */
        ['select generate_series(1, 3) from posts', /returns a set/],
        ['select many() from posts', /returns a set/],
        ['select id, unnest(array[1, 2]) from posts', /returns a set/],
        ["select jsonb_each(body) from posts", /returns a set/],
        ["select regexp_split_to_table(title, 'o') from posts",
         /returns a set/],

        /* what is not the users' own */
        ['select * from posts, pg_class', CATALOG],
        ['select * from posts where id in (select oid::int from pg_authid)',
         CATALOG],
        ['select (select rolpassword from pg_authid limit 1) from posts',
         CATALOG],
        ['select * from posts, information_schema.tables', CATALOG],
        ['select * from posts, pg_catalog.pg_shadow', CATALOG],
        ['select * from posts, pg_stat_activity', CATALOG],
        ['select * from posts, pg_toast.pg_toast_1255', CATALOG],
        ['select * from posts, seen', /a view/],
        ['select * from posts, stored', /a materialized view/],
        ['select * from posts, fleeting', /unlogged or temporary/],
        ['select * from posts, parent', /children that inherit/],
        ['select * from posts, numbers', /is not a table/],
        ['select * from posts, absent', /no table "absent"/],
        ['select * from posts, nowhere.posts', /no table "nowhere"."posts"/],

        /* the deparser would print another query */
        ['select (array[1, 2])[1] from posts', /cannot be rewritten/],

        /* what says of itself that it only reads meets READ ONLY */
        ['select id, liar(id) from posts',
         /cannot execute INSERT in a read-only transaction/],
        ['select id from posts where liar(id) = 1',
         /cannot execute INSERT in a read-only transaction/],
        ['select max(liar(id)) as id from posts',
         /cannot execute INSERT in a read-only transaction/],

        /* PostgreSQL's own refusals arrive as a reason, too */
        ['select nosuch from posts', /"nosuch" does not exist/],
        ['select nosuch(id) from posts', /nosuch\(integer\) does not exist/],
        ['select id + title from posts', /operator does not exist/],
        ['select 1 / 0 from posts', /division by zero/],
        ['select title::int from posts', /invalid input syntax for type int/],
        ['select id from posts group by userid', /GROUP BY/],
        ["select * from posts where title = 'unfinished", /unterminated/],
    ]) {
        test(query.slice(0, 70) || '(empty)', async () => {
            await refused(subscribe(query), reason);
        });
    }

    /* q.sly_row is sly_row(q), if q has no column of the name */
    test('a key that is a function of the row', async () => {
        for (const query of ['select distinct * from posts',
                             'select * from (select * from posts) s',
                             'select * from posts union table posts']) {
            await refused(subscribe(query, { pk: 'sly_row' }),
                          /no column "sly_row"/);
        }

        await refused(subscribe('select * from (select * from posts) s',
                                { table_field: 's.sly_row' }),
                      /"s.sly_row" is not a column of "s"/);
    });

    test('what a later row would write, in either way', async (t) => {
        const query = 'select id, case when id > 1 then liar(id) end as x'
                      + ' from posts order by id limit 9';
        const lives = [];

        for (const exact of [false, true]) {
            const live = await subscribe(query, { exact });

            t.after(() => live.client.ws.terminate());
            await live.join();
            lives.push(live);
        }

        await stack.sql("insert into posts values (2, 1, 'two')");

        for (const live of lives) {
            const { reason } = await live.client.event(live.topic,
                                                       'phx_error');

            assert.match(reason, /cannot execute INSERT in a read-only/);
        }

        await stack.sql('delete from posts where id = 2');
    });

    test('none of it was run', async () => {
        assert.deepEqual(await stack.sql('select * from probes'), []);
        assert.deepEqual(await stack.sql('select id from posts'), [{ id: 1 }]);
        assert.deepEqual(await stack.sql('select last_value::int as n,'
                                         + ' is_called from numbers'),
                         [{ n: 1, is_called: false }]);
        assert.deepEqual(await stack.sql("select to_regclass('stolen') as r"),
                         [{ r: null }]);
    });
});


/* up to PostgreSQL 14 one of six is marked as volatile, in error */
test('AT TIME ZONE passes where timezone(text, timetz) is volatile',
     async (t) => {
    const mark = (volatility) => stack.sql(`
        set allow_system_table_mods = on;
        update pg_proc set provolatile = '${volatility}'
         where oid = 'pg_catalog.timezone(text, timetz)'::regprocedure;
        reset allow_system_table_mods`);
    const [{ provolatile }] = await stack.sql(`
        select provolatile from pg_proc
         where oid = 'pg_catalog.timezone(text, timetz)'::regprocedure`);

    await mark('v');
    t.after(() => mark(provolatile));

    const live = await subscribe(
        "select id, now() at time zone 'Europe/Berlin' as then from posts");

    live.client.ws.terminate();
});


describe('let pass', () => {
    for (const query of [
        'SELECT * FROM posts;',
        'table posts',
        'select * from posts -- a comment',
        'select /* ; drop table posts */ * from posts',
        "select id, '; drop table posts; --' as x from posts",
        'select id, $$ a ; b $$ as x from posts',
        'select id, upper(title), length(title) || \'\' from posts',
        'select id, coalesce(title, \'\'), nullif(id, 1), greatest(1, 2)'
        + ' from posts',
        'select id, body -> \'a\', body ->> \'a\', body @> \'{}\' from posts',
        'select id, now(), current_date, current_user from posts',
        'select id, extract(year from now()), now() at time zone \'UTC\''
        + ' from posts',
        "select id, 'pg_class'::regclass, 'posts'::regclass::text from posts",
        'select id, pg_typeof(id), pg_column_size(title),'
        + ' pg_size_pretty(5::bigint) from posts',
        'select p.id, q.probe from (select 1 as probe from posts) q, posts p',
        'select p.id, p.honest from posts p',
        'select p.id, (p).title, (p.body)[\'a\'] from posts p',
        'select id, id ==== 1 from posts',
        'select id, array[[1, 2], [3, 4]] from posts',
        'select id, row(1, 2) from posts',
        'select id, case when id = 1 then \'a\' else \'b\' end from posts',
        'select id, title like \'o%\', title ~ \'o\', id between 0 and 9,'
        + ' id in (1, 2), id is distinct from 2, title is null from posts',
        'select id, "order" from posts order by "order" desc limit 5',
        'select id, to_json(p) from posts p',
        'select id, string_to_array(title, \'n\') from posts',
        'select id, (select count(*) from users) from posts',
        'select p.id, u.count from posts p, users u',
        'select id, exists (select from users) from posts',
        'select * from posts union select * from posts',
        'select * from posts, (values (1), (2)) v (x) where x = 1',
        'with p as (table posts) table p',
        'select id, title collate "C" from posts order by title collate "C"',
    ]) {
        test(query.slice(0, 70), async (t) => {
            const live = await subscribe(query);

            t.after(() => live.client.ws.terminate());
            assert.equal(live.response.rows.length, 1);
        });
    }
});


test('a long query, a wide query, a long list', async (t) => {
    const columns = Array.from({ length: 1000 }, (_, i) => `id as c${i}`);
    const wide = await subscribe(`select id, ${columns} from posts`);

    t.after(() => wide.client.ws.terminate());
    assert.equal(Object.keys(wide.response.rows[0]).length, 1002);

    await refused(subscribe(`select id, '${'x'.repeat(70000)}' from posts`),
                  /query is longer than/);
    await refused(subscribe(`select id, '${'x'.repeat(20000)}' from posts`),
                  /query is longer than/);

    await refused(subscribe(`select * from posts${', posts'.repeat(2000)}`),
                  /the query reads tables 2001 times/);
});


test('what the role may not read', async (t) => {
    const url = new URL(stack.databaseUrl);

    url.username = 'guarded';
    stack.databaseUrl = url.href;

    await stack.replicator.stop();
    await stack.replicator.start();

    const live = await subscribe('select * from posts');

    t.after(() => live.client.ws.terminate());
    assert.equal(live.response.rows.length, 1);

    await refused(subscribe('select * from posts, secrets'),
                  /role may not SELECT from "public"\."secrets"/);
    await refused(subscribe('select (select s from secrets) from posts'),
                  /role may not SELECT from "public"\."secrets"/);
    await refused(subscribe('select p.*, u.name from posts p, users u'),
                  /permission denied for table users/);
    await refused(subscribe('select * from posts p, hidden.posts h'),
                  /permission denied for schema hidden/);
});


/* as the role of the test before */
test('row-level security, and a right that is taken away', async (t) => {
    const lives = [];

    await stack.sql(`
        create policy open on posts for select using (title <> 'hidden');
        alter table posts enable row level security;
        insert into posts values (10, 1, 'hidden')`);

    for (const exact of [false, true]) {
        const live = await subscribe('select id, title from posts'
                                     + ' order by id limit 9', { exact });

        t.after(() => live.client.ws.terminate());
        await live.join();
        assert.deepEqual([...live.rows.keys()], ['1']);
        lives.push(live);
    }

    for (const [sql, row] of [
        ["insert into posts values (11, 1, 'hidden'), (12, 1, 'open')",
         { id: 12, title: 'open', database_op: 'insert' }],
        ["update posts set title = 'hidden' where id = 12",
         { id: 12, database_op: 'delete' }],
        ["delete from posts where title = 'hidden';"
         + " insert into posts values (13, 1, 'open')",
         { id: 13, title: 'open', database_op: 'insert' }],
    ]) {
        await stack.sql(sql);

        for (const live of lives) {
            assert.deepEqual(await live.next(), [row], sql);
        }
    }

    await stack.sql('revoke select on posts from guarded;'
                    + " insert into posts values (14, 1, 'open')");

    for (const live of lives) {
        const { reason } = await live.client.event(live.topic, 'phx_error');

        assert.match(reason, /permission denied for table posts/);
        assert.match((await live.subscribe()).response.reason,
                     /role may not SELECT from "public"."posts"/);
    }
});
