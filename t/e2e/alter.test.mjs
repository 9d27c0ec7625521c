/*
 * Tables that are altered or dropped while somebody is subscribed: a reset
 * with the reason, or a route that goes on.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import { LIMIT } from './lib/await.mjs';
import { Live } from './lib/live.mjs';
import { startStack } from './lib/stack.mjs';


let stack, tables = 0;

before(async () => {
    stack = await startStack({ workers: 1 });
});

after(() => stack?.stop());


/* A table with a row, and its subscriber. */
async function subscribed(t, more = {}) {
    const name = `t${++tables}`;

    await stack.sql(`create table ${name} (id int primary key, f int, x text);
                     alter table ${name} replica identity full;
                     insert into ${name} values (1, 1, 'a')`);

    const query = (more.query ?? 'select * from T').replace('T', name);
    const live = await Live.open(stack.base, name, 'f', '1',
                                 { ...more, query });

    t.after(() => live.client.ws.terminate());
    assert.equal(live.rows.size, 1);

    return { name, live };
}


async function reset(live, pattern) {
    const { reason } = await live.client.event(live.topic, 'phx_error', null,
                                               2 * LIMIT);

    assert.match(reason, pattern);
    assert.doesNotMatch(reason, /\n/);
}


test('a column is added: later rows have it', async (t) => {
    const { name, live } = await subscribed(t);

    await stack.sql(`alter table ${name} add y int default 5`);
    await stack.sql(`insert into ${name} values (2, 1, 'b')`);
    assert.deepEqual(await live.next(), [
        { id: 2, f: 1, x: 'b', y: 5, database_op: 'insert' }]);
});


test('a column that the query does not name is dropped', async (t) => {
    const { name, live } = await subscribed(t);

    await stack.sql(`alter table ${name} drop x`);
    await stack.sql(`insert into ${name} values (2, 1)`);
    assert.deepEqual(await live.next(), [
        { id: 2, f: 1, database_op: 'insert' }]);
});


test('a column of the query is dropped', async (t) => {
    const { name, live } = await subscribed(t, { query: 'select id, x from T' });

    await stack.sql(`alter table ${name} drop x`);
    await stack.sql(`insert into ${name} values (2, 1)`);
    await reset(live, /column "x" does not exist/);
    assert.match((await live.subscribe()).response.reason, /"x"/);
});


test('the filter\'s column is dropped', async (t) => {
    const { name, live } = await subscribed(t, { query: 'select id from T' });

    await stack.sql(`alter table ${name} drop f`);
    await stack.sql(`update ${name} set x = 'b'`);
    await reset(live, /altered/);
});


test('the filter\'s column gets another type', async (t) => {
    const { name, live } = await subscribed(t);

    await stack.sql(`alter table ${name} alter f type text using f::text`);
    await stack.sql(`update ${name} set x = 'b'`);
    await reset(live, /altered/);
    assert.equal((await live.subscribe()).status, 'ok');
    await live.join();
    await stack.sql(`update ${name} set x = 'c'`);
    assert.deepEqual((await live.next()).map((r) => r.x), ['c']);
});


test('the key\'s column is renamed', async (t) => {
    const { name, live } = await subscribed(t, { query: 'select x from T' });

    await stack.sql(`alter table ${name} rename id to ident`);
    await stack.sql(`update ${name} set x = 'b'`);
    await reset(live, /subscribe again/);
});


test('the replica identity is set back', async (t) => {
    const { name, live } = await subscribed(t);

    await stack.sql(`alter table ${name} replica identity default`);
    await stack.sql(`update ${name} set x = 'b'`);
    await reset(live, /altered/);
    assert.match((await live.subscribe()).response.reason,
                 /replica identity full/i);
});


test('the table is dropped, and comes again as another', async (t) => {
    const { name, live } = await subscribed(t);

    await stack.sql(`drop table ${name}`);
    await stack.sql(`create table ${name} (id int primary key, g int);
                     alter table ${name} replica identity full;
                     insert into ${name} values (1, 1)`);
    await reset(live, /altered/);
});


test('the table is dropped just after a change', async (t) => {
    const { name, live } = await subscribed(t);

    await stack.sql(`begin; insert into ${name} values (2, 1);
                     drop table ${name}; commit`);
    await reset(live, /does not exist/);
});


/* what no change tells: the catalog is looked at every five seconds */

test('dropped, renamed, rewritten, and nothing else happens', async (t) => {
    const [dropped, renamed, rewritten, same, shorter, sorted, unkeyed, loose,
           grown]
        = await Promise.all(Array.from({ length: 9 }, () => subscribed(t)));

    await stack.sql(`create unique index loose_key on ${loose.name} (x);
                     alter table ${loose.name} alter x set not null;
                     create unique index grown_key on ${grown.name} (id)`);

    /* it has looked at them as they are */
    await delay(6000);

    await stack.sql(`drop table ${dropped.name}`);
    await stack.sql(`alter table ${renamed.name} rename to other_name`);
    await stack.sql(`alter table ${rewritten.name}
                     alter x type int using length(x)`);
    await stack.sql(`alter table ${same.name}
                     alter x type text using upper(x)`);
    await stack.sql(`alter table ${shorter.name} alter x type varchar(9);
                     alter table ${sorted.name} alter x type text
                     collate "C"`);
    await stack.sql(`alter table ${unkeyed.name}
                     drop constraint ${unkeyed.name}_pkey`);
    await stack.sql(`alter table ${loose.name} alter x drop not null`);

    /* another key of the same columns, one that is new, another file */
    await stack.sql(`alter table ${grown.name} add y int;
                     drop index grown_key;
                     create unique index on ${grown.name} (id, f);
                     alter table ${grown.name} alter f set not null`);
    await stack.sql(`vacuum full ${grown.name}`);

    await Promise.all([
        reset(dropped.live, /dropped or renamed/),
        reset(renamed.live, /dropped or renamed/),
        ...[rewritten, same, shorter, sorted].map(
            ({ live }) => reset(live, /altered/)),
        reset(unkeyed.live, /a key of the table was dropped/),
        reset(loose.live, /a key of the table was dropped/)]);

    assert.match((await unkeyed.live.subscribe()).response.reason,
                 /pk "id" is neither the primary key nor unique/);
    assert.equal((await loose.live.subscribe()).status, 'ok');

    await stack.sql(`insert into ${grown.name} values (2, 1, 'b', 3)`);
    assert.deepEqual(await grown.live.next(), [
        { id: 2, f: 1, x: 'b', y: 3, database_op: 'insert' }]);
});


test('a table of a join is dropped, or loses a column', async (t) => {
    await stack.sql('create table other (id int primary key, name text);'
                    + " insert into other values (1, 'n')");

    const query = 'select p.id, o.name from T p'
                  + ' left join other o on o.id = p.f';
    const a = await subscribed(t, { query, pk: 'p.id', alias: 'p',
                                    table_field: 'p.f' });

    await stack.sql('alter table other rename name to label');
    await stack.sql("update other set label = 'm'");
    await reset(a.live, /o.name does not exist/);

    await stack.sql('alter table other rename label to name');

    const b = await subscribed(t, { query, pk: 'p.id', alias: 'p',
                                    table_field: 'p.f' });

    await stack.sql('drop table other');
    await stack.sql(`insert into ${b.name} values (2, 1, 'b')`);
    await reset(b.live, /"other" does not exist/);
});
