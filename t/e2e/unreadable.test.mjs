/*
 * Changes that cannot be read: who misses one is told, nobody else is, and
 * the stream goes on.
 *
 * The type "odd" prints what is no text in the database's encoding, as types
 * written in C can.
 */

import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import { after, before, beforeEach, describe, test } from 'node:test';

import { LIMIT, once } from './lib/await.mjs';
import { Live } from './lib/live.mjs';
import { startStack } from './lib/stack.mjs';


const OF_TABLE = /a change of the table could not be read: subscribe again/;
const OF_ANY = /a change could not be read: subscribe again/;
const ODD = '\'\\xff\'::bytea::odd';

let stack;
let user = 0;

before(async () => {
    stack = await startStack({ workers: 2, setup: `
        create type odd;
        create function odd_in(cstring) returns odd
            language internal immutable strict as 'byteain';
        create function odd_out(odd) returns cstring
            language internal immutable strict as 'textout';
        create type odd (input = odd_in, output = odd_out,
                         internallength = variable, storage = extended);
        create cast (bytea as odd) without function;

        create table posts (id int primary key, userid int, x odd);
        create table notes (id int primary key, userid int, x odd);
        create table log (id int, userid int, x odd, primary key (id))
            partition by range (id);
        create table log_1 partition of log for values from (0) to (1000000);

        alter table posts replica identity full;
        alter table notes replica identity full;
        alter table log_1 replica identity full;` });
});

after(() => stack?.stop());

beforeEach(() => {
    user++;
});


function open(t, table, more = {}) {
    return Live.open(stack.base, table, 'userid', `${user}`, {
        query: `select id, userid from ${table}`, ...more }).then((live) => {
        t.after(() => live.client.ws.terminate());
        return live;
    });
}


function insert(table, id, odd = 'null') {
    return stack.sql(`insert into ${table} values ($1, $2, ${odd})`,
                     [user * 1000 + id, user]);
}


function converges(live, table) {
    return live.converges(`select id, userid from ${table}`
                          + ` where userid = ${user}`, stack, 3 * LIMIT);
}


async function told(live, why) {
    const { reason } = await live.client.event(live.topic, 'phx_error',
                                               'phx_error', 3 * LIMIT);

    assert.match(reason, why);
    await assert.rejects(live.join(), /subscribe again/);
    assert.equal((await live.subscribe()).status, 'ok');
    await live.join();
}


const lines = () => stack.replicator.output().split('\n')
                    .filter((line) => /could not read/.test(line));


describe('a row that cannot be read', () => {
    const writes = {
        'an insert': [() => {}, () => insert('posts', 1, ODD)],

        'an update': [() => insert('posts', 1), () => stack.sql(
            `update posts set x = ${ODD} where userid = $1`, [user])],

        'a delete': [() => insert('posts', 1, ODD), () => stack.sql(
            'delete from posts where userid = $1', [user])],

        'one among many of a transaction': [() => {}, () => stack.sql(
            `insert into posts select ${user * 1000} + n, ${user},`
            + ` case when n = 50 then ${ODD} end`
            + ' from generate_series(1, 100) n')],
    };

    for (const [what, [prepare, write]] of Object.entries(writes)) {
        test(`${what}: its table's subscribers are told`, async (t) => {
            await prepare();

            /* a prepared row that cannot be read must reset no route below */
            await stack.confirmed();

            const live = await open(t, 'posts');
            const other = await open(t, 'notes');

            await write();
            await told(live, OF_TABLE);
            await insert('posts', 200);
            await insert('notes', 1);
            await converges(live, 'posts');

            /* who reads another table was not disturbed */
            await converges(other, 'notes');
            assert.ok(lines().some((line) => {
                return /\[error\] .*change of public\.posts at /.test(line);
            }), lines().join('\n'));
        });
    }

    test('of a partition: the subscribers of the whole are told',
         async (t) => {
        const live = await open(t, 'log');

        await insert('log', 1, ODD);
        await told(live, OF_TABLE);
        await insert('log', 2);
        await converges(live, 'log');
        assert.equal(live.rows.size, 2);
    });

    test('of a table that a query only reads: the query is run again',
         async (t) => {
        const query = 'select p.id, p.userid, (select count(*) from notes n'
                      + ' where n.userid = p.userid) as notes from posts p';

        await insert('posts', 1);

        const live = await open(t, 'posts', { query });

        assert.equal([...live.rows.values()][0].notes, 0);
        await insert('notes', 1, ODD);
        await live.next('an event', 3 * LIMIT);
        assert.equal([...live.rows.values()][0].notes, 1);
    });
});


/* What comes from PostgreSQL passes spoil(), which may change its bytes. */
async function proxy(port, spoil) {
    const sockets = new Set();

    const server = createServer((client) => {
        const database = connect(port, '127.0.0.1');

        for (const [from, to] of [[client, database], [database, client]]) {
            sockets.add(from);
            from.on('data', (data) => {
                to.write(from == database ? spoil(data) : data);
            });
            from.on('close', () => to.destroy());
            from.on('error', () => {});
        }
    });

    server.listen(0, '127.0.0.1');
    await once(server, 'listening');

    return { port: server.address().port, close: () => {
        server.close();
        sockets.forEach((socket) => socket.destroy());
    } };
}


describe('a change that PostgreSQL itself cannot send', () => {
    /* as a row of more than 1 GB, but sooner: a type that cannot be printed */
    const write = () => stack.sql('insert into mutes values (1, \'1\')');

    const since = () => {
        const from = stack.replicator.output().length;

        return () => stack.replicator.output().slice(from);
    };

    before(() => stack.sql(`
        create type mute;
        create function mute_in(cstring) returns mute
            language internal immutable strict as 'int4in';
        create function mute_out(mute) returns cstring
            language internal stable strict as 'enum_out';
        create type mute (input = mute_in, output = mute_out, like = int4);
        create table mutes (id int primary key, x mute)`));

    test('the slot is made anew, and all are told', async (t) => {
        const lives = [[await open(t, 'posts'), 'posts'],
                       [await open(t, 'notes'), 'notes']];
        const told = since();

        await write();
        await insert('notes', 1);

        for (const [live, table] of lives) {
            const { reason } = await live.client.event(
                live.topic, 'phx_error', 'phx_error', 6 * LIMIT);

            assert.match(reason, /changes were missed: subscribe again/);
            assert.equal((await live.subscribe()).status, 'ok');
            await live.join();
            await insert(table, 2);
            await converges(live, table);
        }

        assert.equal(told().match(/invalid internal value for enum/g).length, 5);
        assert.match(told(), /\[warn\] .*cannot send, .*; creating it/);
    });
});


describe('a line of which nothing can be read', () => {
    let between, spoil, spoiled;

    before(async () => {
        const url = new URL(stack.databaseUrl);

        between = await proxy(url.port, (data) => spoil?.(data) ?? data);
        url.port = between.port;

        await stack.replicator.stop();
        stack.databaseUrl = url.href;
        await stack.replicator.start();
    });

    after(async () => {
        await stack.replicator.stop();
        between.close();
    });

    /* Breaks the next line of this action. */
    function next(action) {
        spoiled = new Promise((resolve) => {
            spoil = (data) => {
                const at = data.indexOf(`{"action":"${action}"`);

                if (at >= 0) {
                    data[at] = 0x5b;
                    spoil = null;
                    resolve();
                }

                return data;
            };
        });
    }

    const what = { B: 'the begin', I: 'a row', C: 'the commit' };

    for (const action of ['B', 'I', 'C']) {
        test(`${what[action]} of a transaction: all are told`, async (t) => {
            const lives = [];

            for (const table of ['posts', 'notes', 'log']) {
                lives.push([await open(t, table), table]);
            }

            next(action);
            await stack.sql('insert into posts select $1 + n, $2'
                            + ' from generate_series(1, 10) n',
                            [user * 1000, user]);
            await spoiled;

            for (const [live] of lives) {
                await told(live, OF_ANY);
            }

            for (const [live, table] of lives) {
                await insert(table, 100);
                await converges(live, table);
            }

            assert.ok(lines().some((line) => {
                return /\[error\] .*a line at .*all clients/.test(line);
            }), lines().join('\n'));
        });
    }

    test('an idle slot moves on after it', async (t) => {
        const live = await open(t, 'posts');

        next('C');
        await insert('posts', 1);
        await spoiled;
        await told(live, OF_ANY);

        await stack.confirmed();
        await converges(live, 'posts');
    });
});
