/*
 * Partitioned tables: changes name the partitions, subscribers the table.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import { LIMIT } from './lib/await.mjs';
import { Live } from './lib/live.mjs';
import { startStack } from './lib/stack.mjs';


let stack;

before(async () => {
    stack = await startStack({ workers: 2, setup: `
        create table log (id int, day int, f int, x text,
                          primary key (id, day)) partition by range (day);
        create table log_1 partition of log for values from (0) to (10);
        create table log_2 partition of log for values from (10) to (20)
            partition by range (day);
        create table log_2a partition of log_2 for values from (10) to (15);
        create table log_2b partition of log_2 for values from (15) to (20);

        create table parts (id int primary key, f int, x text)
            partition by list (id);
        create table parts_1 partition of parts for values in (1, 2, 3);
        create table parts_rest partition of parts default;

        create table names (id int primary key, name text)
            partition by range (id);
        create table names_1 partition of names for values from (0) to (100);

        alter table log_1 replica identity full;
        alter table log_2a replica identity full;
        alter table log_2b replica identity full;
        alter table parts_1 replica identity full;
        alter table parts_rest replica identity full;
        alter table names_1 replica identity full;` });
});

after(() => stack?.stop());


function open(t, table, value, more = {}) {
    return Live.open(stack.base, table, 'f', value, more).then((live) => {
        t.after(() => live.client.ws.terminate());
        return live;
    });
}


test('rows of every partition, near and far', async (t) => {
    const live = await open(t, 'parts', '1', { pk: 'id' });

    await stack.sql("insert into parts values (1, 1, 'a')");
    assert.deepEqual(await live.next(), [
        { id: 1, f: 1, x: 'a', database_op: 'insert' }]);
    await stack.sql("insert into parts values (9, 1, 'b')");
    assert.deepEqual(await live.next(), [
        { id: 9, f: 1, x: 'b', database_op: 'insert' }]);
    await stack.sql('delete from parts where id = 1');
    assert.deepEqual(await live.next(), [{ id: 1, database_op: 'delete' }]);
});


test('a key of two columns, and an update that crosses partitions',
     async (t) => {
    const live = await open(t, 'log', '2', { pk: 'id,day' });

    await stack.sql("insert into log values (1, 5, 2, 'a')");
    assert.deepEqual(await live.next(), [
        { id: 1, day: 5, f: 2, x: 'a', database_op: 'insert' }]);

    /* another key, so one goes and one comes */
    await stack.sql("update log set day = 16, x = 'b' where id = 1");

    const rows = await live.next();

    while (rows.length < 2) {
        rows.push(...await live.next());
    }

    assert.deepEqual(rows, [
        { id: 1, day: 5, database_op: 'delete' },
        { id: 1, day: 16, f: 2, x: 'b', database_op: 'insert' }]);

    await stack.sql('delete from log where day = 16');
    assert.deepEqual(await live.next(), [
        { id: 1, day: 16, database_op: 'delete' }]);
});


test('an update that crosses partitions under one key is an update',
     async (t) => {
    await stack.sql(`
        create table crossed (id int, f int, x text) partition by list (x);
        create table crossed_a partition of crossed for values in ('a');
        create table crossed_b partition of crossed for values in ('b');
        create unique index on crossed_a (id);
        create unique index on crossed_b (id);
        alter table crossed_a replica identity full;
        alter table crossed_b replica identity full;
        alter table crossed alter id set not null;
        create table plain (id int primary key, f int);
        alter table plain replica identity full;`);

    /* no key of the whole can be without its x: told through a join */
    const query = 'select l.id, c.x from plain l'
                  + ' join crossed c on c.id = l.id';
    const live = await Live.open(stack.base, 'plain', 'l.f', '1',
                                 { query, pk: 'l.id', alias: 'l' });

    t.after(() => live.client.ws.terminate());
    await stack.sql("insert into crossed values (1, 1, 'a')");
    await stack.sql('insert into plain values (1, 1)');
    assert.deepEqual(await live.next(), [
        { id: 1, x: 'a', database_op: 'insert' }]);
    await stack.sql("update crossed set x = 'b' where id = 1");
    assert.deepEqual(await live.next(), [
        { id: 1, x: 'b', database_op: 'update' }]);
});


test('a row that goes and comes in one transaction is an update',
     async (t) => {
    const live = await open(t, 'parts', '8', { pk: 'id' });

    await stack.sql("insert into parts values (80, 8, 'a')");
    await live.next();
    await stack.sql("begin; delete from parts where id = 80;"
                    + " insert into parts values (80, 8, 'b'); commit");
    assert.deepEqual(await live.next(), [
        { id: 80, f: 8, x: 'b', database_op: 'update' }]);
    await stack.sql('begin; delete from parts where id = 80;'
                    + " insert into parts values (80, 9, 'c'); commit");
    assert.deepEqual(await live.next(), [{ id: 80, database_op: 'delete' }]);
});


test('a partition that is made later', async (t) => {
    const live = await open(t, 'log', '3', { pk: 'id,day' });

    await stack.sql('create table log_3 partition of log'
                    + ' for values from (20) to (30)');
    await stack.sql('alter table log_3 replica identity full');

    for (let i = 0; i < 20; i++) {
        await stack.sql(`insert into log values (${i}, 20, 3, 'x')`);

        if (i % 3 == 0) {
            await stack.sql(`delete from log where id = ${i} and day = 20`);
        }

        if (i % 5 == 1) {
            await stack.sql(`update log set day = 4 where id = ${i}`
                            + ' and day = 20');
        }
    }

    await live.converges('select * from log where f = 3', stack, 2 * LIMIT);
    assert.ok(live.rows.size > 10);
});


test('a partition that is attached with rows: the route is reset',
     async (t) => {
    const live = await open(t, 'parts', '7', { pk: 'id' });

    /* it is asked about, and found to be part of none */
    await stack.sql(`create table apart (like parts including all);
                     alter table apart replica identity full;
                     insert into apart values (70, 7, 'x')`);
    await stack.sql("insert into parts values (71, 7, 'y')");
    assert.deepEqual((await live.next()).map((r) => r.id), [71]);

    await stack.sql('alter table parts attach partition apart'
                    + ' for values in (70)');

    /* until it is asked about again */
    const reset = live.client.event(live.topic, 'phx_error', null,
                                    3 * LIMIT);

    for (const end = Date.now() + 2 * LIMIT; Date.now() < end; ) {
        await stack.sql("update apart set x = x || '.' where id = 70");

        if (await Promise.race([reset, delay(500)])) {
            break;
        }
    }

    assert.match((await reset).reason, /partition was attached/);
    assert.equal((await live.subscribe()).status, 'ok');
    assert.deepEqual([...live.rows.keys()].sort(), ['70', '71']);
});


test('attached with rows, or detached, and nothing else happens',
     async (t) => {
    await stack.sql(`create table sets (id int primary key, f int)
                         partition by range (id);
                     create table sets_1 partition of sets
                         for values from (0) to (10);
                     create table sets_2 (like sets including all);
                     alter table sets_1 replica identity full;
                     alter table sets_2 replica identity full;
                     insert into sets values (1, 1);
                     insert into sets_2 values (11, 1)`);

    const live = await open(t, 'sets', '1');
    const told = (pattern) => live.client.event(live.topic, 'phx_error', null,
                                                2 * LIMIT)
                              .then((e) => assert.match(e.reason, pattern));

    /* the sweep sees the table as it is; one more changes nothing */
    await delay(3000);
    await stack.sql(`create table sets_3 partition of sets
                         for values from (20) to (30);
                     alter table sets_3 replica identity full`);
    await delay(3000);
    assert.deepEqual(await live.client.pending(), []);

    await stack.sql(`alter table sets attach partition sets_2
                         for values from (10) to (20)`);
    await told(/partition was attached/);
    assert.equal((await live.subscribe()).status, 'ok');
    assert.deepEqual([...live.rows.keys()].sort(), ['1', '11']);
    await live.join();

    await stack.sql('alter table sets detach partition sets_1');
    await told(/partition was detached/);
});


test('a partition is added whose old rows are not in the WAL', async (t) => {
    await stack.sql(`create table adds (id int primary key, f int)
                         partition by range (id);
                     create table adds_1 partition of adds
                         for values from (0) to (10);
                     alter table adds_1 replica identity full`);

    const live = await open(t, 'adds', '1');

    await stack.sql(`create table adds_2 partition of adds
                         for values from (10) to (20)`);

    const { reason } = await live.client.event(live.topic, 'phx_error');

    assert.match(reason, /a partition was added|REPLICA IDENTITY FULL/);
    assert.match((await live.subscribe()).response.reason,
                 /ALTER TABLE "public"."adds_2" REPLICA IDENTITY FULL/);
    await stack.sql('alter table adds_2 replica identity full');
    assert.equal((await live.subscribe()).status, 'ok');
});


test('a table that is none of its partitions is no concern', async (t) => {
    const live = await open(t, 'parts', '4', { pk: 'id' });

    await stack.sql('create table stranger (id int primary key, f int)');
    await stack.sql('insert into stranger values (1, 4)');
    await stack.sql("insert into parts values (2, 4, 'x')");
    assert.deepEqual((await live.next()).map((r) => r.id), [2]);
    assert.deepEqual(await live.client.pending(), []);
});


test('one partition is truncated', async (t) => {
    const live = await open(t, 'parts', '5', { pk: 'id' });

    await stack.sql("insert into parts values (3, 5, 'x')");
    await live.next();
    await stack.sql("insert into parts values (50, 5, 'y')");
    await live.next();
    await stack.sql('truncate parts_1');
    assert.deepEqual(await live.next(), [{ id: 3, database_op: 'delete' }]);
    await stack.sql('truncate parts');
    assert.deepEqual(await live.next(), [{ id: 50, database_op: 'delete' }]);
    assert.deepEqual(await live.client.pending(), []);
});


test('a partitioned table that is joined', async (t) => {
    await stack.sql("insert into names values (6, 'n')");

    const query = 'select p.id, n.name from plain p'
                  + ' join names n on n.id = p.f';
    const live = await Live.open(stack.base, 'plain', 'p.f', ['6', '106'],
                                 { query, pk: 'p.id', alias: 'p' });

    t.after(() => live.client.ws.terminate());
    await stack.sql('insert into plain values (60, 6), (61, 106)');
    assert.deepEqual(await live.next(), [
        { id: 60, name: 'n', database_op: 'insert' }]);
    await stack.sql("update names set name = 'm' where id = 6");
    assert.deepEqual(await live.next(), [
        { id: 60, name: 'm', database_op: 'update' }]);
    await stack.sql('create table names_2 partition of names'
                    + ' for values from (100) to (200)');
    await stack.sql("insert into names values (106, 'new')");
    assert.deepEqual(await live.next(), [
        { id: 61, name: 'new', database_op: 'insert' }]);
});
