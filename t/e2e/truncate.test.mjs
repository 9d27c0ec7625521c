/*
 * TRUNCATE: everything leaves, row by row.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { LIMIT } from './lib/await.mjs';
import { Live } from './lib/live.mjs';
import { startStack } from './lib/stack.mjs';


let stack, tables = 0;

before(async () => {
    stack = await startStack({ workers: 2 });
});

after(() => stack?.stop());


async function table(rows = '') {
    const name = `t${++tables}`;

    await stack.sql(`create table ${name} (id int primary key, f int);`
                    + `alter table ${name} replica identity full`);

    if (rows) {
        await stack.sql(`insert into ${name} ${rows}`);
    }

    return name;
}


function open(t, name, more = {}, join = true) {
    return Live.open(stack.base, name, 'f', '1', more, join).then((live) => {
        t.after(() => live.client.ws.terminate());
        return live;
    });
}


const ids = (rows) => rows.map((r) => [r.id, r.database_op]).sort();


test('rows of the snapshot, and of events since', async (t) => {
    const name = await table('values (1, 1), (2, 1), (3, 2)');
    const live = await open(t, name);

    await stack.sql(`insert into ${name} values (4, 1)`);
    await live.next();
    await stack.sql(`truncate ${name}`);
    assert.deepEqual(ids(await live.next()),
                     [[1, 'delete'], [2, 'delete'], [4, 'delete']]);

    /* the route lives on */
    await stack.sql(`insert into ${name} values (1, 1)`);
    assert.deepEqual(ids(await live.next()), [[1, 'insert']]);
    assert.deepEqual(await live.client.pending(), []);
});


test('rows that come again in the same transaction stay', async (t) => {
    const name = await table('values (1, 1), (2, 1), (3, 1)');
    const live = await open(t, name);

    await stack.sql(`begin; truncate ${name};
                     insert into ${name} values (2, 1), (5, 1), (3, 2);
                     commit`);
    await live.converges(`select * from ${name} where f = 1`, stack);
    assert.deepEqual([...live.rows.keys()].sort(), ['2', '5']);
});


test('rows that were inserted a moment before', async (t) => {
    const name = await table('values (0, 1)');
    const live = await open(t, name);

    for (let i = 0; i < 30; i++) {
        await stack.sql(`insert into ${name} select n, 1`
                        + ` from generate_series(${i * 10 + 1},`
                        + ` ${i * 10 + 10}) n`);
        await stack.sql(`truncate ${name}`);
    }

    await stack.sql(`insert into ${name} values (7, 1)`);
    await live.converges(`select * from ${name} where f = 1`, stack,
                         2 * LIMIT);
    assert.deepEqual([...live.rows.keys()], ['7']);
});


test('subscribers that come at the same time', async (t) => {
    const name = await table('select n, 1 from generate_series(1, 500) n');
    const lives = [];

    /* the route is there, with a set of keys */
    lives.push(await open(t, name));

    const opening = Array.from({ length: 20 }, () => open(t, name));

    await stack.sql(`truncate ${name}`);
    lives.push(...await Promise.all(opening));

    for (const live of lives) {
        await live.converges(`select * from ${name}`, stack, 2 * LIMIT);
        assert.equal(live.rows.size, 0);
    }
});


test('before the route is joined', async (t) => {
    const name = await table('values (1, 1)');
    const live = await open(t, name, {}, false);

    await stack.sql(`truncate ${name}`);
    await live.join();
    assert.deepEqual(ids(await live.next()), [[1, 'delete']]);
});


test('by cascade', async (t) => {
    const name = await table('values (1, 1)');

    await stack.sql(`create table child (id int primary key, f int,
                         t int references ${name});
                     alter table child replica identity full;
                     insert into child values (10, 1, 1)`);

    const live = await open(t, 'child');

    await stack.sql(`truncate ${name} cascade`);
    assert.deepEqual(ids(await live.next()), [[10, 'delete']]);
});


test('many rows', async (t) => {
    const name = await table('select n, 1 from generate_series(1, 9000) n');
    const live = await open(t, name);

    assert.equal(live.rows.size, 9000);
    await stack.sql(`truncate ${name}`);
    await live.converges(`select * from ${name}`, stack, 3 * LIMIT);
});


test('more rows than are kept track of: a reset that says so', async (t) => {
    const name = await table('select n, 1 from generate_series(1, 10001) n');
    const live = await open(t, name);

    await stack.sql(`truncate ${name}`);

    const { reason } = await live.client.event(live.topic, 'phx_error');

    assert.match(reason, /truncated.*not known/);
    assert.equal((await live.subscribe()).status, 'ok');
    assert.equal(live.rows.size, 0);
});


test('after a restart what members hold is not known', async (t) => {
    const name = await table('values (1, 1)');
    const live = await open(t, name);

    await stack.replicator.stop();
    await stack.replicator.start();

    /* it goes on */
    await stack.sql(`insert into ${name} values (2, 1)`);
    assert.deepEqual(ids(await live.next('an insert', 3 * LIMIT)),
                     [[2, 'insert']]);
    await stack.sql(`truncate ${name}`);

    const { reason } = await live.client.event(live.topic, 'phx_error');

    assert.match(reason, /truncated/);
});


test('a row that nobody holds is not taken away', async (t) => {
    const name = await table('values (1, 1), (2, 1)');
    const live = await open(t, name,
                            { query: `select * from ${name} where id > 1` });

    await stack.sql(`update ${name} set f = 2 where id = 1`);
    await stack.sql(`delete from ${name} where id = 1`);
    await stack.sql(`update ${name} set f = 2 where id = 2`);
    assert.deepEqual(ids(await live.next()), [[2, 'delete']]);
    assert.deepEqual(await live.client.pending(), []);
});
