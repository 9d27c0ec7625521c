/*
 * Every method of @nexusrt/kairos as it is on npm, unchanged.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import './lib/browser.mjs';
import { NexusRT } from '@nexusrt/kairos';

import { Inbox, until, within } from './lib/await.mjs';
import { startStack } from './lib/stack.mjs';


let stack;

before(async () => {
    stack = await startStack({ setup: `
        create table posts (id bigint primary key, userid int, content text);
        create table users (id int primary key, name text);
        create table tags (id int primary key, postid bigint);
        alter table posts replica identity full;
        insert into posts values (1, 7, 'one'), (2, 7, 'two'),
                                 (3, 8, 'three');` });
});

after(() => stack?.stop());


async function open(t, userid, topic = `user:${userid}`) {
    const nexus = await NexusRT.create(stack.base, undefined, { userid });

    t.after(() => nexus.disconnect());
    nexus.connect();

    if (topic) {
        await within(nexus.useUserChannel(topic, { userid }), 'the join');
    }

    return nexus;
}


function inbox(nexus, event) {
    const box = new Inbox(`the event ${event}`);
    const handler = (payload, meta) => box.put({ payload, meta });

    nexus.on(event, handler);
    box.handler = handler;
    return box;
}


const POSTS = { table: 'posts', tableField: 'userid', equality: 'eq',
                event: 'posts', pk: 'id' };


describe('pub/sub', () => {
    test('create, connect, useUserChannel, on, emit', async (t) => {
        const [a, b] = [await open(t, 'a', 'lobby'),
                        await open(t, 'b', 'lobby')];
        const heard = inbox(b, 'hello');

        assert.equal(a.emit('hello', { body: { text: 'hi' } }), a);
        assert.deepEqual(await heard.take(),
                         { payload: { body: { text: 'hi' } },
                           meta: { topic: 'lobby' } });
    });

    test('useUserChannel takes the userid as its topic', async (t) => {
        const nexus = await open(t, 'me', null);
        const channel = await within(nexus.useUserChannel(), 'the join');

        assert.equal(channel.topic, 'me');
    });

    test('off ends what on began for channels joined later', async (t) => {
        const nexus = await open(t, 'c', null);
        const dropped = inbox(nexus, 'hello');
        const kept = inbox(nexus, 'hello');

        nexus.off('hello', dropped.handler);
        await within(nexus.useUserChannel('offs'), 'the join');
        nexus.emit('hello', { body: 1 });
        await kept.take();
        assert.deepEqual(dropped.items, []);
    });

    test('emitTo joins by itself', async (t) => {
        const [a, b] = [await open(t, 'd'), await open(t, 'e', 'square')];
        const heard = inbox(b, 'shout');

        assert.equal(await within(a.emitTo('square', 'shout', { body: 1 }),
                                  'emitTo'), a);
        assert.deepEqual((await heard.take()).payload, { body: 1 });
        await assert.rejects(a.emitTo('other', 'shout', { body: 1 },
                                      { joinIfNeeded: false }), /not joined/);
    });

    test('request and requestTo are answered', async (t) => {
        const nexus = await open(t, 'f');

        assert.deepEqual(await nexus.request('ask', { body: 1 },
                                             { timeoutMs: 5000 }), {});
        assert.deepEqual(await nexus.requestTo('asked', 'ask', { body: 1 },
                                               { timeoutMs: 5000 }), {});
        await assert.rejects(nexus.request('ask', {}, { timeoutMs: 5000 }),
                             (err) => /body/.test(err.reason));
    });

    test('channel gives a channel of phoenix', async (t) => {
        const nexus = await open(t, 'g');
        const channel = nexus.channel('plain', { x: 1 });

        await within(nexus.joinChannel(channel), 'the join');
        assert.equal(channel.state, 'joined');
        assert.equal((await nexus.joinTopic('plainer')).state, 'joined');
    });

    test('setUser gives the name to subscribe as', async (t) => {
        const nexus = await open(t, undefined, 'nobody');

        await assert.rejects(nexus.select('*').from('posts')
                                  .subscribe({ ...POSTS, fieldValue: '7' }),
                             /missing userid/);
        assert.equal(nexus.setUser('h'), nexus);

        const result = await nexus.select('*').from('posts')
                                  .subscribe({ ...POSTS, fieldValue: '7' });

        assert.equal(result.userid, 'h');
    });

    test('disconnect closes the connection', async (t) => {
        const nexus = await open(t, 'i');

        nexus.disconnect();
        await until(() => nexus.socket.conn == null
                          || nexus.socket.conn.readyState == 3,
                    'the connection is closed');
    });
});


describe('queries', () => {
    test('subscribe gives the rows and a route topic', async (t) => {
        const nexus = await open(t, 'q1');
        const result = await within(
            nexus.select('*').from('posts').where("content <> 'none'")
                 .orderBy('id').limit(10)
                 .subscribe({ ...POSTS, fieldValue: '7' }), 'subscribe');

        assert.equal(result.query, "select * from posts where "
                     + "(content <> 'none') order by id desc limit 10");
        assert.deepEqual(result.rows, [
            { id: 2, userid: 7, content: 'two', database_op: 'query' },
            { id: 1, userid: 7, content: 'one', database_op: 'query' }]);
        assert.equal(result.route_topics.length, 1);
        assert.match(result.route_topics[0], /^rt:/);
    });

    test('subscribeAndJoinRoutes brings changes', async (t) => {
        const nexus = await open(t, 'q2');
        const heard = inbox(nexus, 'posts');

        const { result, channels } = await within(
            nexus.select('id, content').from('posts')
                 .subscribeAndJoinRoutes({ ...POSTS,
                                           fieldValue: ['17', '18'] }),
            'subscribeAndJoinRoutes');

        assert.deepEqual(result.rows, []);
        assert.equal(channels.length, 1);
        assert.equal(channels[0].state, 'joined');

        await stack.sql("insert into posts values (100, 17, 'new')");

        const { payload, meta } = await heard.take();

        assert.deepEqual(payload.rows, [
            { id: 100, content: 'new', database_op: 'insert' }]);
        assert.equal(typeof payload.sent_at, 'number');
        assert.equal(meta.topic, result.route_topics[0]);

        await stack.sql("update posts set content = 'changed' where id = 100");
        assert.deepEqual((await heard.take()).payload.rows, [
            { id: 100, content: 'changed', database_op: 'update' }]);

        await stack.sql('delete from posts where id = 100');
        assert.deepEqual((await heard.take()).payload.rows, [
            { id: 100, database_op: 'delete' }]);
    });

    test('a refusal rejects, with a reason', async (t) => {
        const nexus = await open(t, 'q3');

        await assert.rejects(nexus.select('*').from('absent')
                                  .subscribe({ ...POSTS, fieldValue: '7' }),
                             (err) => /absent/.test(err.reason));

        /* and the channel lives */
        assert.deepEqual(await nexus.request('ask', { body: 1 }), {});
    });

    test('all that the builder can write, in one query', async (t) => {
        const nexus = await open(t, 'q4');
        const heard = inbox(nexus, 'tags');

        await stack.sql("insert into users values (21, 'ann'), (22, 'bob');"
                        + ' insert into posts values (200, 21, \'a\'),'
                        + " (201, 22, 'b'), (202, 21, 'none');"
                        + ' insert into tags values (1, 200), (2, 200),'
                        + ' (3, 201), (4, 202)');

        const { result } = await within(
            nexus.select('p.userid, u.name, count(t.id) as n').from('posts p')
                 .join('users u on u.id = p.userid')
                 .join('tags t on t.postid = p.id')
                 .where("p.content <> 'none'")
                 .groupBy('p.userid, u.name').having('count(t.id) > 0')
                 .orderBy('count(t.id)').limit(10)
                 .subscribeAndJoinRoutes({
                     ...POSTS, tableField: 'p.userid', alias: 'p',
                     fieldValue: ['21', '22'], event: 'tags',
                     pk: 'p.userid' }), 'subscribeAndJoinRoutes');

        assert.equal(result.query, 'select p.userid, u.name, count(t.id) as n'
                     + ' from posts p join users u on u.id = p.userid join'
                     + " tags t on t.postid = p.id where (p.content <> 'none')"
                     + ' group by p.userid, u.name having count(t.id) > 0'
                     + ' order by count(t.id) desc limit 10');
        assert.deepEqual(result.rows, [
            { userid: 21, name: 'ann', n: 2, database_op: 'query' },
            { userid: 22, name: 'bob', n: 1, database_op: 'query' }]);

        /* each table of the query counts, also those of the joins */

        for (const [sql, rows] of [
            ["update users set name = 'eve' where id = 22",
             [{ userid: 22, name: 'eve', n: 1, database_op: 'update' }]],
            ["update posts set content = 'c' where id = 202",
             [{ userid: 21, name: 'ann', n: 3, database_op: 'update' }]],
            ['delete from tags where id = 3',
             [{ id: 22, userid: 22, database_op: 'delete' }]],
            ['insert into tags values (5, 201)',
             [{ userid: 22, name: 'eve', n: 1, database_op: 'insert' }]],
        ]) {
            await stack.sql(sql);
            assert.deepEqual((await heard.take()).payload.rows, rows, sql);
        }
    });

    test('a join of three tables, by the key of the last', async (t) => {
        await stack.sql("insert into users values (31, 'ann');"
                        + " insert into posts values (300, 31, 'a');"
                        + ' insert into tags values (31, 300), (32, 300)');

        const nexus = await open(t, 'q5');
        const heard = inbox(nexus, 'tagged');

        const { result } = await within(
            nexus.select('t.id, p.content, u.name').from('posts p')
                 .join('users u on u.id = p.userid')
                 .join('tags t on t.postid = p.id').orderBy('t.id')
                 .subscribeAndJoinRoutes({
                     ...POSTS, tableField: 'p.userid', alias: 'p',
                     fieldValue: '31', event: 'tagged', pk: 't.id' }),
            'subscribeAndJoinRoutes');

        assert.deepEqual(result.rows, [
            { id: 32, content: 'a', name: 'ann', database_op: 'query' },
            { id: 31, content: 'a', name: 'ann', database_op: 'query' }]);

        await stack.sql("update users set name = 'eve' where id = 31");
        assert.deepEqual((await heard.take()).payload.rows
                         .map((r) => [r.id, r.name, r.database_op]).sort(),
                         [[31, 'eve', 'update'], [32, 'eve', 'update']]);

        await stack.sql('delete from tags where id = 31');
        assert.deepEqual((await heard.take()).payload.rows, [
            { id: 31, database_op: 'delete' }]);
    });

    for (const [what, build, more, reason] of [
        ['no table', (n) => n.select('*'), {}, /not valid SQL: .*end of inp/],
        ['a condition on no column',
         (n) => n.select('*').from('posts').where('nocol = 1'), {},
         /column "nocol" does not exist/],
        ['a join with no table',
         (n) => n.select('p.*').from('posts p').join('absent a on true'),
         { alias: 'p', tableField: 'p.userid', pk: 'p.id' },
         /no table "absent"/],
        ['a field of two tables',
         (n) => n.select('p.*').from('posts p').join('posts q on q.id = p.id'),
         {}, /"userid" is a column of several tables .* alias/],
        ['groups without their key',
         (n) => n.select('count(*)').from('posts').groupBy('userid')
                 .having('count(*) > 1'), {},
         /no column "id" to tell its rows apart/],
        ['an alias that is none', (n) => n.select('*').from('posts'),
         { alias: 'p' }, /alias "p" is not/],
        ['another table', (n) => n.select('*').from('posts'),
         { table: 'users' }, /topic "users:userid" names another table/],
    ]) {
        test(`refused: ${what}`, async (t) => {
            const nexus = await open(t, 'q6');

            await assert.rejects(
                within(build(nexus).subscribe({ ...POSTS, ...more,
                                                fieldValue: '7' }),
                       'subscribe'),
                (err) => reason.test(err.reason));
        });
    }
});
