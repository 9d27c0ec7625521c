/*
 * Queries without a FROM of their own, or with one that is more than tables:
 * set operations, WITH, sub-selects.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { LIMIT } from './lib/await.mjs';
import { Live, Refused } from './lib/live.mjs';
import { startStack } from './lib/stack.mjs';


let stack;

before(async () => {
    stack = await startStack({ workers: 1, setup: `
        create domain score as int check (value >= 0);
        create type mood as enum ('sad', 'fine', 'glad');
        create table users (id int primary key, name text);
        create table posts (id int primary key, userid int, content text,
                            at date, n numeric, s score, m mood, j jsonb);
        create table old_posts (id int primary key, userid int,
                                content text, at date, n numeric, s score,
                                m mood, j jsonb);
        create table banned (id int primary key);
        create table tags (postid int, tag text, primary key (postid, tag));
        create table tree (id int primary key, up int, userid int);
        create table mute (a int);`,
        env: { KAIROS_STATEMENT_TIMEOUT: '2s' } });
});

after(() => stack?.stop());


/* field may be "p.userid": the topic is the column's alone */
function open(t, query, value, more = {}, join = true) {
    return Live.open(stack.base, 'posts', 'userid', value,
                     { query, ...more }, join)
           .then((live) => {
               t.after(() => live.client.ws.terminate());
               return live;
           });
}


async function refused(t, query, reason, more = {}, value = '1') {
    await assert.rejects(open(t, query, value, more), (err) => {
        assert.ok(err instanceof Refused, err.stack);
        assert.match(err.message, reason);
        assert.doesNotMatch(err.message, /\n/);
        return true;
    });
}


/* the rows of an event, each as "op key", in order */
function ops(rows, key = 'id') {
    return rows.map((row) => `${row.database_op} ${row.id ?? row[key]}`)
           .sort();
}


const UNION = 'select id, userid, content from posts'
              + ' union select id, userid, content from old_posts';


describe('a set operation', () => {
    test('UNION: a change in either arm', async (t) => {
        await stack.sql("insert into posts values (1, 10, 'a'), (2, 11, 'b');"
                        + " insert into old_posts values (3, 10, 'c')");

        const live = await open(t, UNION, '10');

        assert.deepEqual(live.response.rows.map((r) => r.id).sort(), [1, 3]);

        await stack.sql("insert into posts values (4, 10, 'd')");
        assert.deepEqual(await live.next(), [
            { id: 4, userid: 10, content: 'd', database_op: 'insert' }]);
        await stack.sql("insert into old_posts values (5, 10, 'e')");
        assert.deepEqual(ops(await live.next()), ['insert 5']);

        await stack.sql("update posts set content = 'A' where id = 1");
        assert.deepEqual(ops(await live.next()), ['update 1']);
        await stack.sql("update old_posts set content = 'C' where id = 3");
        assert.deepEqual(await live.next(), [
            { id: 3, userid: 10, content: 'C', database_op: 'update' }]);

        /* into the predicate, and out of it; and nobody else's row */
        await stack.sql('update posts set userid = 10 where id = 2');
        assert.deepEqual(ops(await live.next()), ['insert 2']);
        await stack.sql('update old_posts set userid = 11 where id = 3');
        assert.deepEqual(await live.next(), [
            { id: 3, database_op: 'delete' }]);
        await stack.sql("update old_posts set content = 'x' where id = 3");

        await stack.sql('delete from posts where id = 4');
        assert.deepEqual(ops(await live.next()), ['delete 4']);
        await stack.sql('delete from old_posts where id = 5');
        assert.deepEqual(ops(await live.next()), ['delete 5']);
        await live.converges(`select * from (${UNION}) q where userid = 10`,
                             stack);
        assert.deepEqual([...live.rows.keys()].sort(), ['1', '2']);
        await stack.sql('truncate posts');
        assert.deepEqual(ops(await live.next()), ['delete 1', 'delete 2']);
    });

    test('INTERSECT: a row needs both', async (t) => {
        const live = await open(t, UNION.replace('union', 'intersect'), '12');

        await stack.sql("insert into posts values (20, 12, 'a')");
        await stack.sql("insert into old_posts values (20, 12, 'a')");
        assert.deepEqual(ops(await live.next()), ['insert 20']);
        await stack.sql("update old_posts set content = 'b' where id = 20");
        assert.deepEqual(ops(await live.next()), ['delete 20']);
        await stack.sql("update posts set content = 'b' where id = 20");
        assert.deepEqual(ops(await live.next()), ['insert 20']);
        await stack.sql('delete from posts where id = 20');
        assert.deepEqual(ops(await live.next()), ['delete 20']);
    });

    test('EXCEPT: what comes to the right goes', async (t) => {
        const query = 'select id, userid from posts'
                      + ' except select p.id, p.userid from posts p'
                      + ' join banned b on b.id = p.userid';
        const live = await open(t, query, '13');

        await stack.sql('insert into posts values (30, 13), (31, 13)');
        assert.deepEqual(ops(await live.next()), ['insert 30', 'insert 31']);
        await stack.sql('insert into banned values (13)');
        assert.deepEqual(ops(await live.next()), ['delete 30', 'delete 31']);
        await stack.sql('delete from posts where id = 31');
        await stack.sql('update banned set id = 14 where id = 13');
        assert.deepEqual(ops(await live.next()), ['insert 30']);
        await stack.sql('delete from posts where id = 30');
        assert.deepEqual(ops(await live.next()), ['delete 30']);
    });

    test('rows of one pk: UNION ALL keeps them, the last one counts',
         async (t) => {
        const query = UNION.replace('union', 'union all');
        const live = await open(t, query, '15');

        await stack.sql("insert into posts values (40, 15, 'new')");
        assert.deepEqual(ops(await live.next()), ['insert 40']);

        /* a second one: both are sent, as what the key stands for now */
        await stack.sql("insert into old_posts values (40, 15, 'old')");

        const rows = await live.next();

        assert.deepEqual(rows.map((r) => `${r.database_op} ${r.content}`)
                             .sort(), ['update new', 'update old']);

        /* one goes: what is left is sent; a delete comes with the last */
        await stack.sql('delete from posts where id = 40');
        assert.deepEqual(await live.next(), [
            { id: 40, userid: 15, content: 'old', database_op: 'update' }]);
        await stack.sql('delete from old_posts where id = 40');
        assert.deepEqual(ops(await live.next()), ['delete 40']);
    });

    test('rows of one pk: UNION makes equal ones one', async (t) => {
        const live = await open(t, UNION, '16');

        await stack.sql("insert into posts values (50, 16, 'x')");
        assert.deepEqual(ops(await live.next()), ['insert 50']);
        await stack.sql("insert into old_posts values (50, 16, 'x')");
        await stack.sql("delete from posts where id = 50");

        /* it was there all the time */
        await stack.sql("update old_posts set content = 'y' where id = 50");
        assert.deepEqual(await live.next(), [
            { id: 50, userid: 16, content: 'y', database_op: 'update' }]);
    });

    test('a key of two columns tells the arms apart', async (t) => {
        const query = "select 'posts' as src, id, userid from posts"
                      + " union all select 'old', id, userid from old_posts";
        const live = await open(t, query, '17', { pk: 'src,id' });

        await stack.sql('insert into posts values (60, 17)');
        await live.next();
        await stack.sql('insert into old_posts values (60, 17)');
        assert.deepEqual(await live.next(), [
            { src: 'old', id: 60, userid: 17, database_op: 'insert' }]);
        await stack.sql('delete from posts where id = 60');

        const [row] = await live.next();

        assert.deepEqual([row.src, row.id, row.database_op],
                         ['posts', 60, 'delete']);
        assert.equal(live.rows.size, 1);
    });

    test('the first SELECT gives the names', async (t) => {
        const query = 'select p.id as k, p.userid as owner from posts p'
                      + ' union all select o.id, o.userid from old_posts o';

        for (const [field, pk] of [['owner', 'k'], ['p.userid', 'p.id'],
                                   ['o.userid', 'o.id'], ['"owner"', 'k'],
                                   ['OWNER', 'K']]) {
            const live = await open(t, query, '18', {
                table_field: field, pk, alias: 'p',
                topic: field == 'owner' ? null : 'posts:userid' });

            await stack.sql('insert into old_posts values (70, 18)');
            assert.deepEqual(await live.next(), [
                { k: 70, owner: 18, database_op: 'insert' }]);
            await stack.sql('delete from old_posts where id = 70');
            assert.deepEqual(await live.next(), [
                { id: 70, k: 70, database_op: 'delete' }]);
            await live.close();
        }
    });

    test('no pk: the primary key of the table that the topic names',
         async (t) => {
        for (const pk of [null, '', undefined]) {
            const live = await open(t, UNION, '14', { pk });

            live.pks = ['id'];
            await stack.sql('insert into old_posts values (75, 14)');
            assert.deepEqual(ops(await live.next()), ['insert 75']);
            await stack.sql('delete from old_posts where id = 75');
            assert.deepEqual(ops(await live.next()), ['delete 75']);
            await live.close();
        }

        /* of two columns */
        const live = await open(t, 'select postid, tag, 1 as userid from tags'
                                   + ' union all select id, content, userid'
                                   + ' from old_posts', '1',
                                { pk: null, topic: 'tags:userid' });

        await stack.sql("insert into tags values (76, 'a')");
        assert.deepEqual(await live.next(), [
            { postid: 76, tag: 'a', userid: 1, database_op: 'insert' }]);
        await stack.sql('delete from tags');

        const [{ id, postid, tag }] = await live.next();

        assert.deepEqual([id, postid, tag], [[76, 'a'], 76, 'a']);
    });

    test('nested, with VALUES, and a WITH', async (t) => {
        const query = 'with p as (select id, userid from posts)'
                      + ' (select * from p union select id, userid from'
                      + ' old_posts) except (values (80, 19) intersect'
                      + ' select id, 19 from banned)';
        const live = await open(t, query, '19');

        await stack.sql('insert into posts values (80, 19), (81, 19)');
        assert.deepEqual(ops(await live.next()), ['insert 80', 'insert 81']);
        await stack.sql('insert into banned values (80)');
        assert.deepEqual(ops(await live.next()), ['delete 80']);
        await stack.sql('insert into old_posts values (82, 19)');
        assert.deepEqual(ops(await live.next()), ['insert 82']);
    });

    test('a LIMIT in brackets is the arm\'s own', async (t) => {
        const query = '(select id, userid from posts where userid = 20'
                      + ' order by id desc limit 1) union all'
                      + ' select id, userid from old_posts';
        const live = await open(t, query, '20');

        await stack.sql('insert into posts values (90, 20)');
        assert.deepEqual(ops(await live.next()), ['insert 90']);
        await stack.sql('insert into posts values (91, 20)');
        assert.deepEqual(ops(await live.next()), ['delete 90', 'insert 91']);
    });

    test('ORDER BY and LIMIT: of the rows that pass the predicate',
         async (t) => {
        const query = `${UNION} order by id desc limit 2`;

        await stack.sql('insert into posts values (100, 21), (101, 21),'
                        + ' (103, 22), (104, 22), (105, 22);'
                        + ' insert into old_posts values (102, 21)');

        const live = await open(t, query, '21');

        assert.deepEqual(live.response.rows.map((r) => r.id), [102, 101]);

        /* and after it every row, as everywhere */
        await stack.sql("update posts set content = 'x' where id = 100");
        assert.deepEqual(ops(await live.next()), ['update 100']);
    });

    test('exact: the window is kept', async (t) => {
        const query = `${UNION} order by id desc limit 2 offset 1`;
        const live = await open(t, query, '23', { exact: true });

        await stack.sql('insert into posts values (110, 23), (112, 23);'
                        + ' insert into old_posts values (111, 23)');
        assert.deepEqual(ops(await live.next()), ['insert 110', 'insert 111']);
        await stack.sql('insert into old_posts values (113, 23)');
        assert.deepEqual(ops(await live.next()), ['delete 110', 'insert 112']);
        await stack.sql('delete from posts where id = 112');
        assert.deepEqual(ops(await live.next()), ['delete 112', 'insert 110']);
    });

    test('a plain "*", a list of values, and an operator', async (t) => {
        const query = 'select * from posts union all table old_posts';
        const live = await open(t, query, ['24', '25']);
        const not = await open(t, `${query} order by id`, ['24', '25'],
                               { equality: '!eq', table_field: 'posts.userid',
                                 exact: true });

        await stack.sql('insert into posts (id, userid) values (120, 24);'
                        + ' insert into old_posts (id, userid)'
                        + ' values (121, 25), (122, 26), (123, null)');
        await live.converges(`select * from (${query}) q`
                             + ' where userid in (24, 25)', stack);
        await not.converges(`select * from (${query}) q`
                            + ' where userid not in (24, 25)', stack);
        assert.ok(not.rows.has('122') && !not.rows.has('123'));
    });

    test('many writers: it converges', async (t) => {
        const lives = await Promise.all([
            open(t, UNION, '27'),
            open(t, UNION.replace('union', 'except'), '27'),
            open(t, UNION.replace('union', 'intersect'), '27')]);

        await Promise.all(['posts', 'old_posts'].map(async (table, writer) => {
            for (let i = 0; i < 60; i++) {
                const id = 7000 + (i * 7 + writer * 5) % 20;

                await stack.sql(`insert into ${table} (id, userid, content)`
                                + ' values ($1, 27, $2) on conflict (id) do'
                                + ' update set content = excluded.content',
                                [id, `c${i % 3}`]);

                if (i % 4 == 0) {
                    await stack.sql(`delete from ${table} where id = $1`,
                                    [id]);
                }
            }
        }));

        /* two of one pk may be in a union: tell it by content, too */
        for (const [i, op] of ['union', 'except', 'intersect'].entries()) {
            const query = UNION.replace('union', op);

            if (i != 0) {
                await lives[i].converges(
                    `select * from (${query}) q where userid = 27`, stack,
                    3 * LIMIT);
            }
        }

        const keys = await stack.sql(`select distinct id from (${UNION}) q`
                                     + ' where userid = 27');

        lives[0].drain();
        assert.deepEqual([...lives[0].rows.keys()].sort(),
                         keys.map((r) => `${r.id}`).sort());
    });
});


describe('the type of a column of the result', () => {
    /* as PostgreSQL resolves it from both arms */
    for (const [what, column, value, other] of [
        ['int and numeric are numeric', ['userid', 'n'], '1.50', 'no number'],
        ['a date and a literal are a date', ['at', "'2024-01-02'"],
         '2024-01-02', 'yesterday-ish'],
        ['a domain is what it is of', ['s', 's'], '5', 'five'],
        ['a literal is text', ["'a'", 'content'], 'a b', null],
        ['an expression', ['upper(content)', "content || '!'"], 'x!', null],
    ]) {
        test(what, async (t) => {
            const query = `select id, ${column[0]} as f from posts`
                          + ` union all select id, ${column[1]}`
                          + ' from old_posts';
            const live = await open(t, query, value, { table_field: 'f' });

            await stack.sql("insert into old_posts values (200, 30,"
                            + " $1, '2024-01-02', 1.5, 5)",
                            [value.replace(/!$/, '')]);

            const rows = await live.next();

            assert.equal(rows.length, 1);
            assert.equal(rows[0].id, 200);
            await stack.sql('delete from old_posts where id = 200');
            await live.next();

            if (other != null) {
                await refused(t, query, /invalid input syntax for type/,
                              { table_field: 'f' }, other);
            }
        });
    }

    test('an operator that the type does not have', async (t) => {
        const query = 'select id, n as f from posts union all'
                      + ' select id, n from old_posts';

        await refused(t, query, /"f" of type numeric: .*contains.* for text/,
                      { table_field: 'f', equality: 'contains' });
        await refused(t, query.replaceAll(' n', ' j'),
                      /"f" is of type jsonb, which cannot be compared here/,
                      { table_field: 'f' });
    });

    test('an enum, in its order', async (t) => {
        const query = 'select id, m, array[1] as a from posts union all'
                      + ' select id, m, null from old_posts';
        const live = await open(t, query, 'fine', { table_field: 'm',
                                                    equality: 'gte' });

        await stack.sql("insert into old_posts (id, m) values (210, 'glad'),"
                        + " (211, 'sad')");
        assert.deepEqual(ops(await live.next()), ['insert 210']);
        await stack.sql("update old_posts set m = 'sad' where id = 210");
        assert.deepEqual(ops(await live.next()), ['delete 210']);
        await refused(t, query, /invalid input value for enum mood: "odd"/,
                      { table_field: 'm' }, 'odd');
        await refused(t, query, /"a" is of type integer\[\], which cannot/,
                      { table_field: 'a' });
    });
});


describe('a WITH or a sub-select is all that there is', () => {
    const RECENT = "with recent as (select * from posts where at > '2020-1-1')"
                   + ' select id, content from recent';

    test('with: a column that is not selected', async (t) => {
        const live = await open(t, RECENT, '40');

        await stack.sql("insert into posts values (300, 40, 'a', '2024-1-1'),"
                        + " (301, 40, 'b', '2000-1-1'),"
                        + " (302, 41, 'c', '2024-1-1')");
        assert.deepEqual(await live.next(), [
            { id: 300, content: 'a', database_op: 'insert' }]);
        await stack.sql("update posts set at = '2024-1-1' where id = 301");
        assert.deepEqual(ops(await live.next()), ['insert 301']);
        await stack.sql('update posts set userid = 41 where id = 300');
        assert.deepEqual(ops(await live.next()), ['delete 300']);
        await stack.sql('delete from posts where id = 301');
        assert.deepEqual(ops(await live.next()), ['delete 301']);
    });

    test('its ORDER BY and LIMIT come after the predicate', async (t) => {
        await stack.sql("insert into posts values (310, 42, 'a', '2024-1-1'),"
                        + " (311, 42, 'b', '2024-1-2'),"
                        + " (312, 43, 'c', '2024-1-3')");

        const live = await open(t, `${RECENT} order by at desc limit 1`, '42',
                                { exact: true });

        assert.deepEqual(live.response.rows.map((r) => r.id), [311]);
        await stack.sql('delete from posts where id = 311');
        assert.deepEqual(ops(await live.next()), ['delete 311', 'insert 310']);
    });

    test('joined: qualified by what the FROM calls it', async (t) => {
        const query = 'with recent as (select * from posts)'
                      + ' select r.id as pid, u.id as uid, u.name'
                      + ' from recent r join users u on u.id = r.userid';

        await stack.sql("insert into users values (44, 'ann')");
        await stack.sql('insert into posts values (320, 44)');

        for (const more of [{ table_field: 'r.userid', pk: 'r.id' },
                            { table_field: 'userid', pk: 'pid', alias: 'r' },
                            { table_field: 'USERID', pk: 'pid',
                              topic: null }]) {
            const live = await open(t, query, '44', more);

            live.pks = ['pid'];
            assert.deepEqual(live.response.rows, [
                { pid: 320, uid: 44, name: 'ann', database_op: 'query' }]);
            await stack.sql("update users set name = 'eve' where id = 44");
            assert.deepEqual(await live.next(), [
                { pid: 320, uid: 44, name: 'eve', database_op: 'update' }]);
            await stack.sql("update users set name = 'ann' where id = 44");
            await live.next();
            await live.close();
        }
    });

    test('a sub-select in FROM, grouped within and without', async (t) => {
        const within = 'select * from (select userid, count(*) as n from posts'
                       + ' group by userid) s';
        const without = 'select s.userid as who, count(*) as n from'
                        + ' (select * from posts) s group by s.userid';
        const a = await open(t, within, '45', { pk: 'userid' });
        const b = await open(t, without, '45', { pk: 's.userid' });
        const c = await open(t, within, '2', { pk: 'userid', equality: 'gte',
                                               table_field: 's.n' });

        b.pks = ['who'];
        c.drain();
        await stack.sql('insert into posts values (330, 45)');
        assert.deepEqual(await a.next(), [
            { userid: 45, n: 1, database_op: 'insert' }]);
        assert.deepEqual(await b.next(), [
            { who: 45, n: 1, database_op: 'insert' }]);
        await stack.sql('insert into posts values (331, 45)');
        assert.deepEqual(await a.next(), [
            { userid: 45, n: 2, database_op: 'update' }]);
        assert.ok(ops(await c.next(), 'userid').includes('insert 45'));
        await stack.sql('delete from posts where userid = 45');
        assert.deepEqual(ops(await a.next()), ['delete 45']);
        assert.deepEqual(ops(await c.next()), ['delete 45']);
    });

    test('a column that is computed', async (t) => {
        const query = 'with p as (select * from posts) select userid,'
                      + ' count(*) as many from p group by userid';
        const live = await open(t, query, '2', { pk: 'userid',
                                                 table_field: 'many' });
        const now = `select * from (${query}) q where many = 2`;

        await stack.sql('insert into posts values (340, 46), (341, 46)');
        await live.converges(now, stack);
        assert.ok(live.rows.has('46'));
        await stack.sql('delete from posts where id = 340');
        await live.converges(now, stack);
        assert.ok(!live.rows.has('46'));
        await refused(t, `${query} limit 1`, /LIMIT comes after the filter/,
                      { pk: 'userid', table_field: 'many' });
    });

    test('no FROM at all', async (t) => {
        const query = 'select 1 as id, (select count(*) from posts'
                      + ' where userid = 47) as n';
        const live = await open(t, query, '0', { table_field: 'n',
                                                 equality: 'gt' });

        assert.deepEqual(live.response.rows, []);
        await stack.sql('insert into posts values (350, 47)');
        assert.deepEqual(await live.next(), [
            { id: 1, n: 1, database_op: 'insert' }]);
    });

    test('the key and the field are of different things', async (t) => {
        const query = 'select u.id as uid, s.* from users u'
                      + ' join (select * from posts) s on s.userid = u.id';

        await stack.sql("insert into users values (48, 'x')");

        /* u.id is a table's, so changes of others cost nothing */
        const a = await open(t, query, '48', { table_field: 'u.id',
                                               pk: 's.id',
                                               topic: 'users:id' });
        await assert.rejects(open(t, query, '48', { table_field: 's.userid',
                                                    pk: 'u.id' }),
                             /a column "id" that is not that of the key/);

        const b = await open(t, query.replace('s.*', 's.id as post, s.userid'),
                             '48', { table_field: 's.userid', pk: 'u.id' });

        b.pks = ['uid'];
        await stack.sql('insert into posts (id, userid) values (360, 48)');
        assert.deepEqual(ops(await a.next()), ['insert 360']);
        assert.deepEqual((await b.next()).map((r) => r.uid), [48]);
        await stack.sql('delete from posts where id = 360');
        assert.deepEqual(ops(await a.next()), ['delete 360']);
        assert.deepEqual(ops(await b.next()), ['delete 48']);
    });

    test('what is called like the key is the key', async (t) => {
        const more = { pk: 'p.id', table_field: 'p.id', topic: 'posts:id' };
        const join = 'join users u on u.id = p.userid';
        const other = /a column "id" that is not that of the key, .*"id": give/;

        for (const query of [`select * from posts p ${join}`,
                             `select u.id, p.content from posts p ${join}`,
                             `select p.id, u.* from posts p ${join}`,
                             'select p.userid as id from posts p',
                             'select p.id + 1 as id from posts p',
                             'select case userid when 1 then 2 else id end'
                             + ' from posts p',
                             'select (select q.id from posts q limit 1)'
                             + ' from posts p',
                             'select (q).id from posts p, posts q',
                             'select p.*, q.* from posts p, posts q',
                             'select * from posts p'
                             + ' join (select 1 as id) s on true']) {
            await refused(t, query, other, more);
        }

        for (const query of [`select p.*, u.name from posts p ${join}`,
                             `select p.*, u.id as who from posts p ${join}`,
                             'select * from posts p join users u using (id)',
                             'select * from posts p natural join banned b',
                             'select id::text, content from posts p',
                             'select (p).id, content from posts p',
                             `select content from posts p ${join}`]) {
            const live = await open(t, query, '1', more);

            assert.ok(Array.isArray(live.response.rows));
        }
    });

    test('recursive: the whole tree, as long as it has an end', async (t) => {
        const query = 'with recursive t as (select id, up, userid from tree'
                      + ' where up is null union all select c.id, c.up,'
                      + ' c.userid from tree c join t on t.id = c.up)'
                      + ' select id, userid from t';
        const live = await open(t, query, '49', { topic: 'tree:userid' });

        await stack.sql('insert into tree values (1, null, 49), (2, 1, 49),'
                        + ' (3, 2, 50), (4, 3, 49)');
        assert.deepEqual(ops(await live.next()),
                         ['insert 1', 'insert 2', 'insert 4']);
        await stack.sql('update tree set up = 3 where id = 3');
        assert.deepEqual(ops(await live.next()), ['delete 4']);

        /* of the others it does not take the time */
        const endless = 'with recursive t as (select id, userid from tree'
                        + ' union all select id, userid from t)'
                        + ' select * from t where id < 0';

        await refused(t, endless, /statement timeout/,
                      { topic: 'tree:userid' }, '49');
        await stack.sql('update tree set up = 2 where id = 3');
        assert.deepEqual(ops(await live.next()), ['insert 4']);
    });

    test('the replicator is started anew: who was served is told',
         async (t) => {
        const live = await open(t, UNION, '51');

        await stack.sql('insert into old_posts values (370, 51)');
        await live.next();
        await stack.replicator.kill();
        await stack.sql('insert into posts values (371, 51)');
        await stack.replicator.start();

        const { reason } = await live.client.event(live.topic, 'phx_error',
                                                   null, 3 * LIMIT);

        assert.match(reason, /subscribe again/);
        assert.equal((await live.subscribe()).status, 'ok');
        assert.deepEqual([...live.rows.keys()].sort(), ['370', '371']);
        await live.join();
        await stack.sql('delete from old_posts where id = 370');
        assert.deepEqual(ops(await live.next()), ['delete 370']);
    });

    test('a table in it is altered: told, too', async (t) => {
        await stack.sql('create table extra (id int primary key, userid int)');

        const live = await open(t, 'select id, userid from extra union'
                                   + ' select id, userid from posts', '52',
                                { topic: 'extra:userid' });

        await stack.sql('drop table extra');

        const { reason } = await live.client.event(live.topic, 'phx_error',
                                                   null, 3 * LIMIT);

        assert.match(reason, /dropped/);
    });
});


describe('refused', () => {
    const POSTS = 'select id, userid from posts';

    for (const [what, query, reason, more] of [
        ['a field that no arm selects', 'select id from posts union select'
         + ' id from old_posts', /"userid" is not a column of the query's re/],
        ['a field of a table that is not selected', 'select p.id, o.userid'
         + ' from posts p, old_posts o union select 1, 2',
         /"p.userid" is no column of the query's result: select it/,
         { table_field: 'p.userid' }],
        ['a field of two names', 'select id, userid, id as userid from posts'
         + ' union select 1, 2, 3', /several columns .*AS/],
        ['a pk that is not selected', 'select userid from posts union select'
         + ' userid from old_posts', /no column "id" .*select it/],
        ['a pk of two columns', 'select id, id, userid from posts union'
         + ' select 1, 2, 3', /2 columns "id"/],
        ['a pk of a table that is not selected', 'select o.id, p.userid from'
         + ' posts p, old_posts o union select 1, 2',
         /"p.id" is no column of the query's result/, { pk: 'p.id' }],
        ['a topic of another table', `${POSTS} union ${POSTS}`,
         /names a table that the query does not read/,
         { topic: 'users:userid' }],
        ['a wrong value', `${POSTS} union ${POSTS}`,
         /invalid input syntax for type integer/, { field_value: 'x' }],
        ['arms that do not match', `${POSTS} union select 1`,
         /the query failed: .*same number of columns/],
        ['an unknown column in an arm', `${POSTS} union select id, nope`
         + ' from old_posts', /the query failed: .*nope/],
        ['a table that does not tell', `${POSTS} union select a, a from mute`,
         /ALTER TABLE "public"."mute" REPLICA IDENTITY FULL/],
        ['a field that a WITH does not select', 'with p as (select id from'
         + ' posts) select * from p', /"userid" is not a column of "p": sel/],
        ['a field that none of them selects', 'with p as (select id from'
         + ' posts) select p.id from p, users',
         /"userid" is not a column of anything .* select it in the sub-sele/],
        ['a field of a table in a WITH', 'with p as (select * from posts)'
         + ' select * from p', /only a sub-select or a WITH .* name it as/,
         { table_field: 'posts.userid' }],
        ['a field of a function of the row', 'select * from (select * from'
         + ' posts) s', /"s.row_to_json" is not a column of "s"/,
         { table_field: 's.row_to_json' }],
        ['a pk that a WITH does not give', 'with p as (select * from posts)'
         + ' select userid from p', /no column "id"/],
        ['an alias of nothing', 'with p as (select * from posts)'
         + ' select * from p', /alias "x"/, { alias: 'x' }],

        ['INSERT in a WITH', `with x as (insert into posts values (999)`
         + ` returning id, userid) ${POSTS} union select * from x`,
         /holds an INSERT/],
        ['FOR UPDATE in an arm', `(${POSTS} for update) union ${POSTS}`,
         /FOR UPDATE/],
        ['FOR UPDATE in a sub-select', `select * from (${POSTS} for share) s`,
         /FOR UPDATE/],
        ['a volatile function in an arm', `${POSTS} union select`
         + ' (random() * 5)::int, 1 from posts', /"random" .*volatile/],
        ['one in the LIMIT', `${POSTS} union ${POSTS} limit random()`,
         /"random" .*volatile/],
        ['a set in an arm', `${POSTS} union select generate_series(1, 2), 1`
         + ' from posts', /returns a set/],
        ['a catalog in an arm', `${POSTS} union select oid::int, 1 from`
         + ' pg_class', /belongs to PostgreSQL/],
        ['a catalog in a WITH', 'with p as (select oid::int as id, 1 as userid'
         + ' from pg_class) select p.* from p, posts', /belongs to Postgre/],
        ['a parameter in an arm', `${POSTS} union select $1, 1 from posts`,
         /parameter like \$1/],
        ['a function in FROM of an arm', `${POSTS} union select 1, 1 from`
         + ' generate_series(1, 2)', /function in FROM/],
        ['INTO', 'select id, userid into stolen from posts union'
         + ` ${POSTS}`, /INTO/],
        ['no table', 'select 1 as id, 1 as userid union select 2, 2',
         /reads no table/],
        ['VALUES alone', 'values (1, 2) union values (3, 4)',
         /reads no table/],
    ]) {
        test(what, async (t) => {
            await refused(t, query, reason, more);
        });
    }

    test('and nothing was written', async () => {
        assert.deepEqual(await stack.sql('select from posts where id = 999'),
                         []);
    });
});
