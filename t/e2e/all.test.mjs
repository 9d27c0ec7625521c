/*
 * Queries without a predicate: all rows.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Client } from './lib/client.mjs';
import { Live, Refused } from './lib/live.mjs';
import { startStack } from './lib/stack.mjs';


let stack;

before(async () => {
    stack = await startStack({ workers: 2, setup: `
        create table owners (id int primary key, name text);
        insert into owners values (1, 'ann'), (2, 'bob');` });
});

after(() => stack?.stop());


let tables = 0;

/* A new table of its own, whose replica identity is its primary key. */
async function table(rows = '') {
    const name = `t${++tables}`;

    await stack.sql(`create table ${name} (id int primary key, owner int,
                                           n int)`);

    if (rows) {
        await stack.sql(`insert into ${name} values ${rows}`);
    }

    return name;
}


const NONE = { topic: undefined, table_field: undefined,
               field_value: undefined, equality: undefined };

async function open(t, query, more = {}, join = true) {
    const live = await Live.open(stack.base, 'none', 'none', '0',
                                 { ...NONE, query, ...more }, join);

    t.after(() => live.client.ws.terminate());
    return live;
}


const ops = (rows) => rows.map((r) => `${r.database_op} ${r.id}`).sort();


describe('row by row', () => {
    test('rows come, change, get another key, and go', async (t) => {
        const name = await table('(1, 1, 5), (2, null, 6)');
        const live = await open(t, `select * from ${name}`);

        assert.deepEqual(live.response.rows.map((r) => r.id).sort(), [1, 2]);

        for (const [sql, expected] of [
            ['insert into % values (3, null, 7)', ['insert 3']],
            ['update % set n = 8 where id = 2', ['update 2']],
            ['update % set id = 4 where id = 3', ['delete 3', 'insert 4']],
            ['delete from % where id = 1', ['delete 1']],
            ['truncate %', ['delete 2', 'delete 4']],
            ['insert into % values (1, 1, 1)', ['insert 1']]])
        {
            await stack.sql(sql.replace('%', name));

            const rows = [];

            while (rows.length < expected.length) {
                rows.push(...await live.next(sql));
            }

            assert.deepEqual(ops(rows), expected, sql);
        }

        assert.deepEqual(await live.client.pending(), []);
    });

    test('a WHERE decides which rows', async (t) => {
        const name = await table('(1, 1, 5), (2, 1, 15)');
        const live = await open(t, `select id, n from ${name} where n > 10`,
                                { topic: name });

        assert.deepEqual(live.response.rows.map((r) => r.id), [2]);
        await stack.sql(`update ${name} set n = 20 - n`);
        assert.deepEqual(ops([...await live.next(), ...await live.next()]),
                         ['delete 2', 'update 1']);
    });

    test('beside a route with a predicate', async (t) => {
        const name = await table();

        await stack.sql(`alter table ${name} replica identity full`);

        const some = await Live.open(stack.base, name, 'owner', '1');
        const all = await open(t, `select * from ${name}`);

        t.after(() => some.client.ws.terminate());
        assert.notEqual(some.topic, all.topic);
        await stack.sql(`insert into ${name} values (1, 1, 0), (2, 2, 0)`);
        assert.deepEqual(ops(await some.next()), ['insert 1']);
        assert.deepEqual(ops(await all.next()), ['insert 1', 'insert 2']);
        await stack.sql(`update ${name} set owner = 3 - owner`);
        await some.converges(`select * from ${name} where owner = 1`, stack);
        await all.converges(`select * from ${name}`, stack);
    });

    test('a partitioned table', async (t) => {
        await stack.sql(`create table parted (id int primary key, n int)
                             partition by range (id);
                         create table parted_a partition of parted
                             for values from (0) to (10);
                         create table parted_b partition of parted
                             for values from (10) to (20)`);

        const live = await open(t, 'select * from parted');

        for (const sql of ['insert into parted values (1, 1), (11, 1)',
                           'update parted set id = 12 where id = 1',
                           'truncate parted_b',
                           'insert into parted_b values (13, 3)'])
        {
            await stack.sql(sql);
            await live.converges('select * from parted', stack);
        }
    });

    test('a table that is altered: a reset', async (t) => {
        const name = await table('(1, 1, 5)');
        const live = await open(t, `select id, n from ${name}`);

        await stack.sql(`alter table ${name} alter n type text
                         using 'n' || n`);
        await live.client.event(live.topic, 'phx_error');
        assert.equal((await live.subscribe()).status, 'ok');
        await live.join();
        await stack.sql(`insert into ${name} values (2, 1, 'x')`);
        await live.converges(`select id, n from ${name}`, stack);
    });
});


describe('as a whole', () => {
    test('a window', async (t) => {
        const name = await table('(1, 1, 5), (2, 1, 6), (3, 1, 7)');
        const query = `select id, n from ${name} order by n desc, id limit 2`;
        const live = await open(t, query, { exact: true });

        assert.deepEqual(live.response.rows.map((r) => r.id), [3, 2]);
        await stack.sql(`update ${name} set n = 9 where id = 1`);
        assert.deepEqual(ops(await live.next()), ['delete 2', 'insert 1']);
        await stack.sql(`truncate ${name}`);
        assert.deepEqual(ops(await live.next()), ['delete 1', 'delete 3']);
    });

    test('a join, groups, a sub-select, a union', async (t) => {
        const name = await table("(1, 1, 5), (2, 2, 6)");
        const SHAPES = [
            [`select i.id, o.name from ${name} i
              join owners o on o.id = i.owner`, { pk: 'i.id' }],
            [`select i.id, o.name from ${name} i
              join owners o on o.id = i.owner`, { pk: null, alias: 'i' }],
            [`select owner as id, count(*) as c from ${name} group by owner`,
             {}],
            [`select count(*) as id from ${name}`, {}],
            [`with r as (select * from ${name} where n > 5)
              select r.id, r.n from r`, {}],
            [`select id, n from ${name} union all
              select -id, length(name) from owners`, {}],
            [`select id from (select * from ${name}) s order by id desc
              limit 1`, { exact: true }]];
        const lives = await Promise.all(SHAPES.map(
            ([query, more]) => open(t, query, more)));

        for (const sql of ['insert into % values (3, 1, 9)',
                           'update % set owner = 2', "update owners set name ="
                           + " 'eve' where id = 2", 'delete from %'])
        {
            await stack.sql(sql.replace('%', name));

            for (const [i, live] of lives.entries()) {
                await live.converges(SHAPES[i][0], stack);
            }
        }
    });

    test('more than 10000 rows are refused', async () => {
        const name = await table();

        await stack.sql(`insert into ${name}
                         select n, 1, 1 from generate_series(1, 10001) n`);
        await assert.rejects(
            open({ after() {} }, `select distinct id from ${name}`),
            (err) => err instanceof Refused && /10000 rows/.test(err.message));
    });
});


test('the replicator is started anew: the members go on', async (t) => {
    const name = await table('(0, 1, 1), (1, 1, 1)');
    const query = `select id, n from ${name}`;
    const live = await open(t, query);

    await stack.replicator.stop();
    await stack.sql(`insert into ${name} values (2, 1, 2), (3, 1, 3);
                     delete from ${name} where id = 0`);
    await stack.replicator.start();
    await live.converges(query, stack);
    await stack.sql(`insert into ${name} values (4, 2, 4)`);
    await live.converges(query, stack);
    assert.deepEqual(live.client.inbox.items
                     .filter((text) => /phx_error/.test(text)), []);
});


test('half of a predicate is refused, with what is missing', async (t) => {
    const client = await Client.connect(stack.base, { name: 'half' });
    const all = { query: 'select * from owners', event: 'e' };
    const whole = { table_field: 'id', equality: 'eq', field_value: '1' };

    t.after(() => client.ws.terminate());
    await client.join('half', {});

    for (const [more, reason] of [
        [{ ...whole, table_field: undefined }, /^table_field is missing/],
        [{ ...whole, equality: undefined }, /^equality is missing/],
        [{ ...whole, field_value: undefined }, /^field_value is missing/],
        [{ field_value: '1' }, /^table_field is missing/],
        [{ table_field: '' }, /^table_field is missing/],
        [{ ...whole, field_value: null }, /^field_value must not be null/],
        [{ topic: 'owners:id' },
         /^table_field is missing, and topic "owners:id" names a column/],
        [{ topic: 'absent' }, /names a table that the query does not read/]])
    {
        const { status, response } = await client.call(
            'half', 'subscribe', { ...all, ...more });

        assert.equal(status, 'error', JSON.stringify(more));
        assert.match(response.reason, reason);
    }

    for (const topic of [undefined, null, 'owners', 'public.owners',
                         'owners:'])
    {
        const { status, response } = await client.call(
            'half', 'subscribe', { ...all, topic });

        assert.equal(status, 'ok', JSON.stringify(response));
        assert.equal(response.rows.length, 2);
    }
});
