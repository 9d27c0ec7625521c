/*
 * Queries that are run as a whole: joins, groups, windows.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { LIMIT, until } from './lib/await.mjs';
import { Live, Refused } from './lib/live.mjs';
import { startStack } from './lib/stack.mjs';


let stack;

before(async () => {
    stack = await startStack({ workers: 2, setup: `
        create table users (id int primary key, name text);
        create table posts (id int primary key, userid int, kind text,
                            score int, content text);
        create table old_posts (like posts including all);
        alter table posts replica identity full;
        alter table old_posts replica identity full;` });
});

after(() => stack?.stop());


function open(t, query, value, more = {}, join = true) {
    return Live.open(stack.base, 'posts', 'userid', value,
                     { query, ...more }, join)
           .then((live) => {
               t.after(() => live.client.ws.terminate());
               return live;
           });
}


const JOIN = 'select p.id, p.content, u.name from posts p'
             + ' join users u on u.id = p.userid';
const NAMED = { table_field: 'p.userid', pk: 'p.id', alias: 'p' };


describe('a join', () => {
    test('a user who is renamed: the posts that show the name',
         async (t) => {
        await stack.sql("insert into users values (1, 'ann'), (2, 'bob');"
                        + ' insert into posts (id, userid, content) values'
                        + " (1, 1, 'a'), (2, 1, 'b'), (3, 2, 'c')");

        const live = await open(t, JOIN, '1', NAMED);

        assert.deepEqual(live.response.rows.map((r) => [r.id, r.name]).sort(),
                         [[1, 'ann'], [2, 'ann']]);

        await stack.sql("update users set name = 'eve' where id = 1");

        const rows = await live.next();

        assert.deepEqual(rows.map((r) => [r.id, r.name, r.database_op]).sort(),
                         [[1, 'eve', 'update'], [2, 'eve', 'update']]);

        /* of somebody else: a run, and no difference */
        await stack.sql("update users set name = 'rob' where id = 2");
        await stack.sql('insert into posts (id, userid, content)'
                        + " values (4, 1, 'd')");
        assert.deepEqual(await live.next(), [
            { id: 4, content: 'd', name: 'eve', database_op: 'insert' }]);

        await stack.sql('delete from posts where id = 2');
        assert.deepEqual(await live.next(), [
            { id: 2, database_op: 'delete' }]);
        await stack.sql('delete from users where id = 1');
        assert.deepEqual((await live.next()).map((r) => r.id).sort(), [1, 4]);
        assert.equal(live.rows.size, 0);
        assert.deepEqual(await live.client.pending(), []);
    });

    test('a row that was not in the filter is none of its concern',
         async (t) => {
        await stack.sql("insert into users values (3, 'cat') ");

        const live = await open(t, JOIN, '3', NAMED);

        await stack.sql("insert into posts (id, userid) values (5, 4)");
        await stack.sql("insert into posts (id, userid) values (6, 3)");
        assert.deepEqual((await live.next()).map((r) => r.id), [6]);
    });

    test('two subscribers see the same, whenever they come', async (t) => {
        await stack.sql("insert into users values (5, 'n0')");
        await stack.sql("insert into posts (id, userid) values (10, 5)");

        const query = `${JOIN} where p.userid = 5`;
        const a = await open(t, JOIN, '5', NAMED);
        const late = await open(t, JOIN, '5', NAMED, false);
        const lives = [a];

        for (let i = 1; i <= 5; i++) {
            await stack.sql('update users set name = $1 where id = 5',
                            [`n${i}`]);
            await stack.sql('insert into posts (id, userid) values ($1, 5)',
                            [10 + i]);
            lives.push(await open(t, JOIN, '5', NAMED));
        }

        await late.join();
        lives.push(late);
        await stack.sql('delete from posts where id = 12');

        for (const live of lives) {
            assert.equal(live.topic, a.topic);
            await live.converges(query, stack);
        }
    });

    test('what is committed before the route is joined arrives once',
         async (t) => {
        await stack.sql("insert into users values (6, 'x')");

        const live = await open(t, JOIN, '6', NAMED, false);

        await stack.sql("insert into posts (id, userid) values (20, 6)");
        await live.join();
        assert.deepEqual((await live.next()).map((r) => r.id), [20]);
        await stack.sql("insert into posts (id, userid) values (21, 6)");
        assert.deepEqual((await live.next()).map((r) => r.id), [21]);
        assert.deepEqual(await live.client.pending(), []);
    });
});


describe('rows that are computed', () => {
    test('count(*) of groups', async (t) => {
        await stack.sql('insert into posts (id, userid, kind) values'
                        + " (100, 30, 'x'), (101, 30, 'x'), (102, 30, 'y')");

        const query = 'select kind, count(*) as n from posts group by kind';
        const live = await open(t, query, '30', { pk: 'kind' });

        assert.deepEqual(live.response.rows.map((r) => [r.kind, r.n]).sort(),
                         [['x', 2], ['y', 1]]);

        await stack.sql("insert into posts (id, userid, kind)"
                        + " values (103, 30, 'x')");
        assert.deepEqual(await live.next(), [
            { kind: 'x', n: 3, database_op: 'update' }]);
        await stack.sql("update posts set kind = 'z' where id = 102");

        const rows = await live.next();

        assert.deepEqual(rows.sort((a, b) => (a.database_op
                                              < b.database_op ? -1 : 1)), [
            { id: 'y', kind: 'y', database_op: 'delete' },
            { kind: 'z', n: 1, database_op: 'insert' }]);
    });

    test('having', async (t) => {
        const query = 'select kind, sum(score) as s from posts group by kind'
                      + ' having sum(score) > 10';
        const live = await open(t, query, '31', { pk: 'kind' });

        await stack.sql('insert into posts (id, userid, kind, score) values'
                        + " (110, 31, 'x', 10)");
        await stack.sql('insert into posts (id, userid, kind, score) values'
                        + " (111, 31, 'x', 5)");
        assert.deepEqual(await live.next(), [
            { kind: 'x', s: 15, database_op: 'insert' }]);
        await stack.sql('update posts set score = 1 where id = 110');
        assert.deepEqual(await live.next(), [
            { id: 'x', kind: 'x', database_op: 'delete' }]);
    });

    test('one row of an aggregate', async (t) => {
        const live = await open(t, 'select count(*) as n from posts', '32',
                                { pk: 'n' });

        assert.deepEqual(live.response.rows, [
            { n: 0, database_op: 'query' }]);
        await stack.sql('insert into posts (id, userid) values (120, 32)');

        const rows = await live.next();

        assert.deepEqual(rows.filter((r) => r.database_op != 'delete')
                             .map((r) => r.n), [1]);
    });

    test('distinct', async (t) => {
        const live = await open(t, 'select distinct kind from posts', '33',
                                { pk: 'kind' });

        await stack.sql('insert into posts (id, userid, kind) values'
                        + " (130, 33, 'x')");
        assert.deepEqual(await live.next(), [
            { kind: 'x', database_op: 'insert' }]);
        await stack.sql('insert into posts (id, userid, kind) values'
                        + " (131, 33, 'x'), (132, 33, 'y')");
        assert.deepEqual(await live.next(), [
            { kind: 'y', database_op: 'insert' }]);
        await stack.sql('delete from posts where id in (130, 131)');
        assert.deepEqual(await live.next(), [
            { id: 'x', kind: 'x', database_op: 'delete' }]);
    });

    test('a window function', async (t) => {
        const query = 'select id, rank() over (order by score desc) as r'
                      + ' from posts';
        const live = await open(t, query, '35');

        await stack.sql('insert into posts (id, userid, score) values'
                        + ' (150, 35, 1)');
        await live.next();
        await stack.sql('insert into posts (id, userid, score) values'
                        + ' (151, 35, 2)');

        const rows = await live.next();

        assert.deepEqual(rows.map((r) => [r.id, r.r, r.database_op]).sort(),
                         [[150, 2, 'update'], [151, 1, 'insert']]);
    });

    test('a sub-select: another table decides', async (t) => {
        const query = 'select id from posts where userid in'
                      + " (select id from users where name = 'in')";
        const live = await open(t, query, '36');

        await stack.sql('insert into posts (id, userid) values (160, 36)');
        await stack.sql("insert into users values (36, 'in')");
        assert.deepEqual(await live.next(), [
            { id: 160, database_op: 'insert' }]);
        await stack.sql("update users set name = 'out' where id = 36");
        assert.deepEqual(await live.next(), [
            { id: 160, database_op: 'delete' }]);
    });
});


describe('more than one query', () => {
    test('a union within it', async (t) => {
        const query = 'select id, content from posts where id in (select id'
                      + ' from old_posts union all select -id from posts)';
        const live = await open(t, query, '37');

        await stack.sql('insert into posts (id, userid) values (170, 37)');
        await stack.sql('insert into old_posts (id) values (170)');
        assert.deepEqual(await live.next(), [
            { id: 170, content: null, database_op: 'insert' }]);
        await stack.sql('truncate old_posts');
        assert.deepEqual(await live.next(), [
            { id: 170, database_op: 'delete' }]);
    });

    test('with', async (t) => {
        const query = 'with names as (select * from users)'
                      + ' select p.id, n.name from posts p'
                      + ' left join names n on n.id = p.userid';
        const live = await open(t, query, '38', NAMED);

        await stack.sql('insert into posts (id, userid) values (180, 38)');
        assert.deepEqual(await live.next(), [
            { id: 180, name: null, database_op: 'insert' }]);
        await stack.sql("insert into users values (38, 'late')");
        assert.deepEqual(await live.next(), [
            { id: 180, name: 'late', database_op: 'update' }]);
    });
});


describe('LIMIT', () => {
    const QUERY = 'select id, score from posts order by score desc, id'
                  + ' limit 3';

    test('holds for the snapshot, then rows come one by one', async (t) => {
        await stack.sql('insert into posts (id, userid, score)'
                        + ' select 200 + n, 40, n'
                        + ' from generate_series(1, 5) n');

        const live = await open(t, QUERY, '40');

        assert.deepEqual(live.response.rows.map((r) => r.id),
                         [205, 204, 203]);
        await stack.sql('insert into posts (id, userid, score)'
                        + ' values (206, 40, 0)');
        assert.deepEqual(await live.next(), [
            { id: 206, score: 0, database_op: 'insert' }]);
    });

    test('exact: what is pushed out, and what moves up', async (t) => {
        await stack.sql('insert into posts (id, userid, score)'
                        + ' select 210 + n, 41, n'
                        + ' from generate_series(1, 5) n');

        const live = await open(t, QUERY, '41', { exact: true });

        assert.deepEqual(live.response.rows.map((r) => r.id),
                         [215, 214, 213]);

        await stack.sql('insert into posts (id, userid, score)'
                        + ' values (216, 41, 9)');
        assert.deepEqual(await live.next(), [
            { id: 213, database_op: 'delete' },
            { id: 216, score: 9, database_op: 'insert' }]);

        await stack.sql('delete from posts where id = 215');
        assert.deepEqual(await live.next(), [
            { id: 215, database_op: 'delete' },
            { id: 213, score: 3, database_op: 'insert' }]);

        /* below the window: nothing */
        await stack.sql('update posts set score = 0 where id = 211');
        await stack.sql('update posts set score = 8 where id = 214');
        assert.deepEqual(await live.next(), [
            { id: 214, score: 8, database_op: 'update' }]);
    });

    test('exact, and an offset', async (t) => {
        await stack.sql('insert into posts (id, userid, score)'
                        + ' select 220 + n, 42, n'
                        + ' from generate_series(1, 5) n');

        const query = 'select id, score from posts order by score desc'
                      + ' limit 2 offset 1';
        const live = await open(t, query, '42', { exact: true });

        assert.deepEqual(live.response.rows.map((r) => r.id), [224, 223]);
        await stack.sql('insert into posts (id, userid, score)'
                        + ' values (226, 42, 9)');
        assert.deepEqual((await live.next()).map((r) => [r.id, r.database_op]),
                         [[223, 'delete'], [225, 'insert']]);
    });

    test('exact and not: two routes', async (t) => {
        const a = await open(t, QUERY, '43');
        const b = await open(t, QUERY, '43', { exact: true });

        assert.notEqual(a.topic, b.topic);
    });
});


describe('under load', () => {
    test('what changes while it is run costs one run more', async (t) => {
        /* each run leaves locks that are told of by pg_locks */
        await stack.sql(`
            create table gate (id int primary key);
            insert into gate values (1);
            create function counted(int) returns int stable language plpgsql
                as 'begin
                        perform pg_advisory_lock((random() * 1e9)::int);
                        return $1;
                    end'`);

        const query = 'select p.id, p.userid from posts p join gate g'
                      + ' on g.id = counted(1)';
        const live = await open(t, query, '53', NAMED);
        const rows = await open(t, 'select id, userid from posts', '53');
        const holder = await stack.pool.connect();
        const one = (sql) => stack.sql(sql).then(([row]) => Number(row.n));
        const runs = () => one('select count(*) as n from pg_locks where'
                               + " locktype = 'advisory'");
        const waiting = () => one('select count(*) as n from pg_stat_activity'
                                  + " where wait_event_type = 'Lock' and"
                                  + " application_name = 'kairos-replicator'"
                                  + ' and datname = current_database()');

        const first = await runs();

        assert.ok(first > 0);
        await holder.query('begin; lock table gate in access exclusive mode');

        /* the pool ends a run that waits for a lock, and tries it again */
        const waits = () => until(async () => {
            const n = await waiting();

            assert.ok(n <= 1, `${n} runs wait`);
            return n == 1;
        }, 'a run waits');

        for (let id = 8000; id < 8050; id++) {
            await stack.sql('insert into posts (id, userid) values ($1, 53)',
                            [id]);

            if (id == 8000) {
                await waits();
            }
        }

        /* the replicator has read all of them from the stream */
        await rows.converges('select id, userid from posts where userid = 53',
                             stack);
        await waits();
        await holder.query('rollback');
        holder.release();
        await live.converges('select id, userid from posts where userid = 53',
                             stack);

        const more = await runs() - first;

        assert.ok(more <= 3 * first, `${more} more, ${first} of the first`);
    });

    test('many changes, and all of them count', async (t) => {
        await stack.sql("insert into users values (50, 'n')");

        const lives = await Promise.all([1, 2, 3].map(
            () => open(t, JOIN, '50', NAMED)));

        await Promise.all([1, 2, 3, 4].map(async (writer) => {
            for (let i = 0; i < 100; i++) {
                const id = 5000 + (i * 7 + writer * 13) % 60;

                await stack.sql('insert into posts (id, userid, content)'
                                + ' values ($1, 50, $2) on conflict (id) do'
                                + ' update set content = excluded.content',
                                [id, `c${writer}.${i}`]);

                if (i % 3 == 0) {
                    await stack.sql('delete from posts where id = $1', [id]);
                }

                if (i % 10 == 0) {
                    await stack.sql('update users set name = $1'
                                    + ' where id = 50', [`n${writer}.${i}`]);
                }
            }
        }));

        for (const live of lives) {
            await live.converges(`${JOIN} where p.userid = 50`, stack,
                                 3 * LIMIT);
        }
    });

    test('a slow query does not take the pool', async (t) => {
        await stack.sql(`
            create function slow(int) returns int immutable language plpgsql
                as 'begin perform pg_sleep(0.2); return $1; end';`);

        const query = 'select count(slow(score)) as id from posts';
        const live = await open(t, query, '51', { pk: 'id' });
        const quick = await open(t, 'select id, userid from posts', '51');
        const begun = Date.now();

        for (let id = 6000; id < 6020; id++) {
            await stack.sql('insert into posts (id, userid, score)'
                            + ' values ($1, 51, $1)', [id]);
        }

        await quick.converges('select id, userid from posts'
                              + ' where userid = 51', stack);
        assert.ok(Date.now() - begun < LIMIT);
        await until(() => {
            live.drain();
            return live.rows.has('20') && live.rows.size == 1;
        }, 'the count converges', 3 * LIMIT);
    });
});


test('more rows than can be kept: refused, or reset, with the limit',
     async (t) => {
    await stack.sql('insert into posts (id, userid, kind)'
                    + ' select 100000 + n, 60, n from'
                    + ' generate_series(1, 10001) n');
    await assert.rejects(open(t, 'select distinct id from posts', '60'),
                         (err) => err instanceof Refused
                                  && /10000 rows/.test(err.message));

    await stack.sql('delete from posts where id = 100001');

    const live = await open(t, 'select distinct id from posts', '60');

    assert.equal(live.rows.size, 10000);
    await stack.sql('insert into posts (id, userid) values (100001, 60)');

    const { reason } = await live.client.event(live.topic, 'phx_error', null,
                                               3 * LIMIT);

    assert.match(reason, /10000 rows/);
});


test('the replicator is started anew: who was served is told', async (t) => {
    await stack.sql("insert into users values (70, 'n')");

    const live = await open(t, JOIN, '70', NAMED);

    await stack.replicator.kill();
    await stack.sql("insert into posts (id, userid) values (300, 70)");
    await stack.replicator.start();

    const { reason } = await live.client.event(live.topic, 'phx_error', null,
                                               3 * LIMIT);

    assert.match(reason, /subscribe again/);
    assert.equal((await live.subscribe()).status, 'ok');
    assert.deepEqual([...live.rows.keys()], ['300']);
    await live.join();
    await stack.sql('delete from posts where id = 300');
    assert.deepEqual(await live.next(), [{ id: 300, database_op: 'delete' }]);
});
