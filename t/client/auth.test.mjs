/*
 * The client with kairos_auth on: its token is asked for, renewed over the
 * open socket, and asked for anew whenever it connects.
 */

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, test } from 'node:test';

import WebSocket from 'ws';

import { Inbox, until } from '../e2e/lib/await.mjs';
import { startStack } from '../e2e/lib/stack.mjs';
import { becomes, connect, ready, sql } from './lib/package.mjs';


const SECRET = 'a secret of the tests, with 32 bytes or more';

let stack;

before(async () => {
    stack = await startStack({
        directives: `kairos_auth on; kairos_auth_secret '${SECRET}';`,
        setup: `create table posts (id int primary key, f int);
                alter table posts replica identity full;
                insert into posts values (1, 1);` });
});

after(() => stack?.stop());


/* A token that is good for so many seconds. */
function token(seconds, sub = 'u1') {
    const part = (x) => Buffer.from(JSON.stringify(x)).toString('base64url');
    const exp = Math.floor(Date.now() / 1000) + seconds;
    const text = `${part({ alg: 'HS256', typ: 'JWT' })}.`
                 + part({ sub, exp, name: 'ÿ?>~' });

    return `${text}.`
           + createHmac('sha256', SECRET).update(text).digest('base64url');
}


function follow(kairos) {
    return kairos.live(sql`select * from posts`, { field: 'f', value: 1 });
}


/* A WebSocket that writes down what is sent and when it closes. */
function spy(t) {
    const log = new Inbox('a spied socket');

    class Spied extends WebSocket {
        constructor(...args) {
            super(...args);
            log.put('opened');
            this.on('close', (code) => log.put(`closed ${code}`));
            t.after(() => this.terminate());
        }

        send(data, ...args) {
            log.put(JSON.parse(data)[3]);
            super.send(data, ...args);
        }
    }

    return { log, WebSocket: Spied };
}


test('a token is sent, but not in the address', async (t) => {
    const urls = [];

    class Spied extends WebSocket {
        constructor(url, ...args) {
            super(url, ...args);
            urls.push(url);
        }
    }

    const kairos = connect(t, stack, { token: async () => token(60),
                                       WebSocket: Spied });

    await ready(follow(kairos));
    assert.deepEqual(urls, [`${stack.base}/websocket?vsn=2.0.0`]);
});


test('a token is renewed over the open socket before it ends', async (t) => {
    const { log, WebSocket: Spied } = spy(t);
    let asked = 0;

    const kairos = connect(t, stack, { WebSocket: Spied, token: () => {
        return token(++asked == 1 ? 3 : 60);
    } });
    const live = follow(kairos);

    await ready(live);

    const end = Date.now() + 4000;

    await log.find((item) => item == 'access_token', 'the renewal');
    await until(() => Date.now() > end, 'the first token has ended');
    assert.equal(asked, 2);
    await stack.sql('insert into posts values (2, 1)');
    await becomes(live, (u) => u.rows.length == 2, 'the insert');
    assert.deepEqual(log.items.filter((item) => /opened|closed/.test(item)),
                     ['opened']);
    assert.equal(kairos.error, undefined);
    await stack.sql('delete from posts where id = 2');
});


test('when it ends in spite of that, the next connect brings another',
     async (t) => {
    const { log, WebSocket: Spied } = spy(t);
    let seconds = 3;

    const kairos = connect(t, stack, { WebSocket: Spied, token: async () => {
        if (seconds == 0) {
            throw new Error('no token today');
        }

        return token(seconds);
    } });

    const live = follow(kairos);

    await ready(live);
    seconds = 0;
    await becomes(live, (u) => u.status == 'stale', 'it is stale');
    await log.find((item) => item == 'closed 1008', 'the token has expired');
    await until(() => kairos.error, 'the failure is told');
    assert.equal(kairos.error.message, 'no token today');
    assert.equal(kairos.status, 'connecting');
    assert.equal(live.rows.length, 1);

    await stack.sql('insert into posts values (3, 1)');
    seconds = 60;
    await becomes(live, (u) => u.status == 'live' && u.rows.length == 2,
                  'it is live with another token');
    assert.equal(kairos.error, undefined);
    assert.equal(kairos.status, 'open');
    await stack.sql('delete from posts where id = 3');
});


test('what the server refuses is told, and tried again', async (t) => {
    let good = false;

    const kairos = connect(t, stack, { token: () => {
        return good ? token(60) : 'nonsense';
    } });
    const states = new Inbox('states');
    const live = follow(kairos);

    kairos.subscribe(({ status }) => states.put(status));
    assert.equal(await states.take(), 'connecting');
    good = true;
    assert.equal(await states.take('another state'), 'open');
    await ready(live);
});


test('a token() that never answers is asked again', async (t) => {
    let asked = 0;

    const kairos = connect(t, stack, { timeout: 300, token: () => {
        return ++asked == 1 ? new Promise(() => {}) : token(60);
    } });

    await ready(follow(kairos));
    assert.equal(asked, 2);
});


test('a renewal that is refused leaves the old token, and is told',
     async (t) => {
    let asked = 0;

    /* the second is of another user */
    const kairos = connect(t, stack, { token: () => {
        return token(++asked == 1 ? 4 : 60, `u${Math.min(asked, 2)}`);
    } });
    const live = follow(kairos);

    await ready(live);
    await until(() => kairos.error, 'the refusal');
    assert.match(kairos.error.message, /sub/);
    assert.equal(kairos.status, 'open');
    assert.equal(live.status, 'live');
});
