/*
 * Serializer V1: objects, as Phoenix 1.3 and its clients spoke them and the
 * server of today still does.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import WebSocket from 'ws';

import { Inbox, within } from './lib/await.mjs';
import { Client } from './lib/client.mjs';
import { startStack } from './lib/stack.mjs';


const OK = '{"response":{},"status":"ok"}';
const UNMATCHED = '{"response":{"reason":"unmatched topic"},"status":"error"}';

let stack;

before(async () => {
    stack = await startStack({ postgres: false, workers: 1,
                               directives: `kairos_drain 300ms;
                                            kairos_max_channels 3;` });
});

after(() => stack?.stop());


async function client(t, query = 'vsn=1.0.0') {
    const c = await Client.connect(stack.base, { query });

    t.after(() => c.ws.terminate());
    return c;
}


/* A message without a join_ref, as the oldest clients send it. */
function message(topic, event, payload, ref) {
    return JSON.stringify({ topic, event, payload, ref });
}


/* Sends one text and gives the next. */
async function exchange(c, text) {
    c.send(text);
    return c.text(`what comes after ${text}`);
}


function reply(topic, ref, payload = OK) {
    return `{"event":"phx_reply","payload":${payload},"ref":${ref},`
           + `"topic":"${topic}"}`;
}


describe('a client that knows no join_ref', () => {
    test('is spoken to in V1 when it names no version', async (t) => {
        assert.equal(await exchange(await client(t, ''),
                                    message('phoenix', 'heartbeat', {}, '1')),
                     reply('phoenix', '"1"'));
    });

    test('joins, pushes, leaves and is told the end', async (t) => {
        const c = await client(t);

        assert.equal(await exchange(c, message('a', 'phx_join', {}, '1')),
                     reply('a', '"1"'));

        c.send(message('a', 'e', { body: 1 }, '2'));
        assert.equal(await c.text(), '{"event":"e","payload":{"body":1},'
                                     + '"ref":null,"topic":"a"}');
        assert.equal(await c.text(), reply('a', '"2"'));

        c.send(message('a', 'phx_leave', {}, '3'));
        assert.equal(await c.text(), reply('a', '"3"'));
        assert.equal(await c.text(), '{"event":"phx_close","payload":{},'
                                     + '"ref":"1","topic":"a"}');
        assert.equal(await exchange(c, message('a', 'e', { body: 1 }, '4')),
                     reply('a', '"4"', UNMATCHED));
    });

    test('joins again: the new channel takes the place of the old',
         async (t) => {
        const c = await client(t);

        await exchange(c, message('a', 'phx_join', {}, '1'));
        c.send(message('a', 'phx_join', {}, '2'));
        assert.equal(await c.text(), reply('a', '"2"'));

        /* with the old one's ref, so that it is not taken for the new one's */
        assert.equal(await c.text(), '{"event":"phx_close","payload":{},'
                                     + '"ref":"1","topic":"a"}');

        c.send(message('a', 'e', { body: 1 }, null));
        assert.match(await c.text(), /"body":1/);
        assert.equal(await exchange(c, message('phoenix', 'heartbeat', {},
                                               '3')),
                     reply('phoenix', '"3"'));
    });

    test('is heard when it sends the ref of its join as one', async (t) => {
        const c = await client(t);

        await exchange(c, message('a', 'phx_join', {}, '1'));
        c.send('{"topic":"a","event":"e","payload":{"body":1},"ref":null,'
               + '"join_ref":"1"}');
        assert.match(await c.text(), /"body":1/);
    });

    test('has a ref that is a number, and one that is not there', async (t) => {
        const c = await client(t);

        assert.equal(await exchange(c, message('a', 'phx_join', {}, 1)),
                     reply('a', '1'));
        assert.equal(await exchange(c, '{"payload":{"body":0},"topic":"a",'
                                       + '"event":"e"}'),
                     '{"event":"e","payload":{"body":0},"ref":null,'
                     + '"topic":"a"}');
    });
});


describe('a client that sends its join_ref', () => {
    const send = (c, joinRef, ref, topic, event, payload = {}) => {
        c.send(JSON.stringify({ topic, event, payload, ref,
                                join_ref: joinRef }));
    };

    test('gets phx_close with it as the ref', async (t) => {
        const c = await client(t);

        send(c, '7', '7', 'a', 'phx_join');
        assert.equal(await c.text(), reply('a', '"7"'));
        send(c, '7', '8', 'a', 'phx_leave');
        assert.equal(await c.text(), reply('a', '"8"'));
        assert.equal(await c.text(), '{"event":"phx_close","payload":{},'
                                     + '"ref":"7","topic":"a"}');
    });

    test('is not heard with that of an earlier join', async (t) => {
        const c = await client(t);

        send(c, '1', '1', 'a', 'phx_join');
        await c.text();
        send(c, '2', '2', 'a', 'phx_join');
        await c.text();
        await c.text();

        send(c, '1', '3', 'a', 'e', { body: 'stale' });
        send(c, '1', '4', 'a', 'phx_leave');
        send(c, '2', null, 'a', 'e', { body: 'live' });
        assert.match(await c.text(), /"live"/);
    });
});


describe('what is refused', () => {
    for (const [what, topic, event, payload, reason] of [
        ['a topic of 256 bytes', 'x'.repeat(256), 'phx_join', {}, /255/],
        ['an event of 256 bytes', 'a', 'e'.repeat(256), { body: 1 }, /255/],
        ['an event of the protocol', 'a', 'phx_close', { body: 1 }, /phx_/],
        ['a push without a body', 'a', 'e', {}, /body/],
        ['a push to a route', 'rt:1', 'e', { body: 1 }, /unmatched/],
    ]) {
        test(what, async (t) => {
            const c = await client(t);

            await exchange(c, message('a', 'phx_join', {}, '1'));

            const text = await exchange(c, message(topic, event, payload,
                                                   '2'));
            const m = JSON.parse(text);

            assert.deepEqual([m.event, m.ref, m.topic],
                             ['phx_reply', '2', topic]);
            assert.equal(m.payload.status, 'error');
            assert.match(m.payload.response.reason, reason);
        });
    }

    test('one channel more than the limit', async (t) => {
        const c = await client(t);

        for (const topic of ['a', 'b', 'c']) {
            assert.equal(await exchange(c, message(topic, 'phx_join', {},
                                                   '1')),
                         reply(topic, '"1"'));
        }

        assert.equal(await exchange(c, message('d', 'phx_join', {}, '1')),
                     reply('d', '"1"', '{"response":{"reason":'
                           + '"too many channels joined"},"status":"error"}'));
    });

    for (const [bad, topic, reason] of [
        ['{"topic":"a","event":"e","ref":"1"}', 'a', /no payload/],
        ['{"topic":"a","event":"e","payload":{"x":"\\ud800"},"ref":"1"}', 'a',
         /half a surrogate pair/],
        ['{"topic":1,"event":"e","payload":{},"ref":"1"}', 'phoenix',
         /a topic that is no string/],
        ['{"ref":"1","topic":"a","event":"e","payload":{}} {}', 'a',
         /something else/],
    ]) {
        test(`${bad} is answered`, async (t) => {
            const c = await client(t);
            const m = JSON.parse(await exchange(c, bad));

            assert.deepEqual([m.event, m.ref, m.topic],
                             ['phx_reply', '1', topic]);
            assert.equal(m.payload.status, 'error');
            assert.match(m.payload.response.reason, reason);
            assert.equal(await exchange(c, message('a', 'phx_join', {}, '2')),
                         reply('a', '"2"'));
        });
    }

    for (const bad of ['{}', '{"topic":"a"}', '{"topic":"a","event":"e"']) {
        test(`${bad} has no ref, and is counted`, async (t) => {
            const c = await client(t);
            const { unanswered } = await stack.nginx.status();

            c.send(bad);
            assert.equal(await exchange(c, message('a', 'phx_join', {}, '2')),
                         reply('a', '"2"'));
            assert.equal((await stack.nginx.status()).unanswered,
                         unanswered + 1);
        });
    }

    for (const bad of [
        '[null,"1","phoenix","heartbeat",{}]', '"x"',
        Buffer.from([0, 0, 0, 1, 1, 97, 97]),
    ]) {
        test(`${JSON.stringify(bad)} closes the socket`, async (t) => {
            const c = await client(t);

            c.send(bad);
            assert.equal((await within(c.closed, 'the close')).code, 1011);
        });
    }
});


for (const name of ['phoenix', 'phoenix-1.7']) {
    const { Socket } = await import(name);

    test(`${name} with a serializer of V1`, async (t) => {
        const socket = new Socket(stack.base, {
            transport: WebSocket, vsn: '1.0.0',
            encode: (msg, done) => done(JSON.stringify(msg)),
            decode: (text, done) => done(JSON.parse(text)),
            reconnectAfterMs: () => 50, rejoinAfterMs: () => 50 });
        const channel = socket.channel('old', {});
        const heard = new Inbox('e');
        const joins = new Inbox('joins');

        t.after(() => socket.disconnect());
        socket.connect();
        channel.on('e', (payload) => heard.put(payload));
        channel.join().receive('ok', () => joins.put('ok'));
        await joins.take('the join');

        channel.push('e', { body: 1 });
        assert.deepEqual(await heard.take(), { body: 1 });

        await stack.nginx.reload();
        await joins.take('the join after the reload');
        channel.push('e', { body: 2 });
        assert.deepEqual(await heard.take(), { body: 2 });

        const closed = new Promise((resolve) => channel.onClose(resolve));

        channel.leave();
        await within(closed, 'onClose');
    });
}
