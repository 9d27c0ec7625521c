/*
 * Payloads of bytes: binary messages of serializer V2, made and read by
 * phoenix.js's own serializer, and by hand where it would not.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import WebSocket from 'ws';

import { Inbox, within } from './lib/await.mjs';
import { Client } from './lib/client.mjs';
import { startStack } from './lib/stack.mjs';


let stack;

before(async () => {
    stack = await startStack({ postgres: false, workers: 2 });
});

after(() => stack?.stop());


async function client(t, options) {
    const c = await Client.connect(stack.base, options);

    t.after(() => c.ws.terminate());
    return c;
}


/* A push as bytes; the fields are strings or buffers. */
function push(joinRef, ref, topic, event, payload, kind = 0) {
    const fields = [joinRef, ref, topic, event].map((x) => Buffer.from(x));

    return Buffer.concat([Buffer.from([kind, ...fields.map((x) => x.length)]),
                          ...fields, Buffer.from(payload)]);
}


function broadcast(topic, event, payload) {
    return Buffer.concat([
        Buffer.from([2, Buffer.byteLength(topic), Buffer.byteLength(event)]),
        Buffer.from(topic + event), Buffer.from(payload)]);
}


function bytes(n) {
    return Uint8Array.from({ length: n }, (_, i) => i * 7 + (i >> 8));
}


for (const name of ['phoenix', 'phoenix-1.7']) {
    const { Socket } = await import(name);

    describe(name, () => {
        async function member(t, topic) {
            const socket = new Socket(stack.base, { transport: WebSocket });
            const channel = socket.channel(topic, {});
            const heard = new Inbox(`${name} on ${topic}`);

            t.after(() => socket.disconnect());
            socket.connect();
            channel.on('bytes', (payload) => heard.put(payload));
            await within(new Promise((resolve, reject) => {
                channel.join().receive('ok', resolve)
                       .receive('error', reject);
            }), 'the join');

            return { channel, heard };
        }

        for (const n of [0, 1, 125, 126, 65535, 65536, 1000000]) {
            test(`${n} bytes reach the members in both workers`, async (t) => {
                const topic = `bytes:${n}`;
                const members = await Promise.all(Array.from(
                    { length: 8 }, () => member(t, topic)));
                const sent = bytes(n);

                const answer = await within(new Promise((resolve) => {
                    members[0].channel.push('bytes', sent.buffer)
                    .receive('ok', (r) => resolve(['ok', r]))
                    .receive('error', (r) => resolve(['error', r]));
                }), 'the answer');

                assert.deepEqual(answer, ['ok', {}]);

                for (const { heard } of members) {
                    const got = await heard.take();

                    assert.equal(got.constructor, ArrayBuffer);
                    assert.ok(Buffer.from(got).equals(Buffer.from(sent)));
                }
            });
        }

        test('a refusal of bytes is heard', async (t) => {
            const { channel } = await member(t, 'refused');

            const answer = await within(new Promise((resolve) => {
                channel.push('phx_own', bytes(3).buffer)
                       .receive('ok', resolve)
                       .receive('error', resolve);
            }), 'the answer');

            assert.match(answer.reason, /phx_/);
        });
    });
}


describe('a binary push', () => {
    test('keeps its place among the texts of its sender', async (t) => {
        const [a, b] = [await client(t), await client(t)];

        await a.join('mixed');
        await b.join('mixed');

        for (let i = 0; i < 50; i++) {
            a.push('mixed', 'text', { body: i });
            a.send(push(a.joins.mixed, '', 'mixed', 'bytes', [i]));
        }

        for (let i = 0; i < 50; i++) {
            assert.equal(await b.text(), '[null,null,"mixed","text",'
                                         + `{"body":${i}}]`);
            assert.deepEqual(await b.text(), broadcast('mixed', 'bytes', [i]));
        }
    });

    test('without a ref gets no answer, and is heard', async (t) => {
        const c = await client(t);

        await c.join('quiet');
        c.send(push(c.joins.quiet, '', 'quiet', 'e', 'x'));
        assert.deepEqual(await c.text(), broadcast('quiet', 'e', 'x'));
        assert.deepEqual(await c.pending(), []);
    });

    test('without a join_ref is for the open channel', async (t) => {
        const c = await client(t);

        c.send('["5","5","open","phx_join",{}]');
        await c.text();
        c.send(push('', '6', 'open', 'e', 'x'));
        assert.deepEqual(await c.text(), broadcast('open', 'e', 'x'));
        assert.equal(await c.text(), '["5","6","open","phx_reply",'
                                     + '{"response":{},"status":"ok"}]');
    });

    test('with a stale join_ref is dropped', async (t) => {
        const c = await client(t);

        c.send('["1","1","stale","phx_join",{}]');
        c.send('["2","2","stale","phx_join",{}]');
        await c.pending();
        c.send(push('1', '3', 'stale', 'e', 'x'));
        assert.deepEqual(await c.pending(), []);
    });

    test('reaches nobody who speaks V1', async (t) => {
        const a = await client(t);
        const old = await client(t, { query: 'vsn=1.0.0' });

        await a.join('versions');
        old.send('{"topic":"versions","event":"phx_join","payload":{},'
                 + '"ref":"1"}');
        await old.text();
        a.send(push(a.joins.versions, '', 'versions', 'e', 'x'));
        a.push('versions', 'e', { body: 'text' });
        assert.equal(await old.text(), '{"event":"e","payload":{"body":"text"}'
                                       + ',"ref":null,"topic":"versions"}');
    });

    test('may have names of 255 bytes', async (t) => {
        const c = await client(t);
        const topic = 't'.repeat(255), event = 'e'.repeat(255);

        await c.join(topic);
        c.send(push(c.joins[topic], '', topic, event, 'x'));
        assert.deepEqual(await c.text(), broadcast(topic, event, 'x'));
    });

    for (const [what, joinRef, topic, event, reason] of [
        ['to a topic never joined', '1', 'absent', 'e', /unmatched topic/],
        ['to a route', '1', 'rt:1', 'e', /unmatched topic/],
        ['of the protocol\'s event', '', 'room', 'phx_error', /phx_/],
        ['that subscribes', '', 'room', 'subscribe', /no object/],
        ['that joins', '1', 'other', 'phx_join', /object or null/],
    ]) {
        test(`${what} is refused`, async (t) => {
            const c = await client(t);

            await c.join('room');
            c.send(push(joinRef, '9', topic, event, '{"body":1}'));

            const [, ref, on, name, payload] = JSON.parse(await c.text());

            assert.deepEqual([ref, on, name], ['9', topic, 'phx_reply']);
            assert.equal(payload.status, 'error');
            assert.match(payload.response.reason, reason);
            assert.deepEqual(await c.pending(), []);
        });
    }

    test('is a heartbeat, and a leave, as a text would be', async (t) => {
        const c = await client(t);

        c.send(push('', '1', 'phoenix', 'heartbeat', ''));
        assert.equal(await c.text(), '[null,"1","phoenix","phx_reply",'
                                     + '{"response":{},"status":"ok"}]');

        await c.join('room');
        c.send(push(c.joins.room, '2', 'room', 'phx_leave', ''));
        assert.match(await c.text(), /"2","room","phx_reply"/);
        assert.match(await c.text(), /"phx_close"/);
    });
});


describe('what is no push closes its socket', () => {
    for (const [what, data] of [
        ['nothing', []],
        ['half a header', [0, 1, 1]],
        ['a reply', push('1', '1', 'a', 'b', 'x', 1)],
        ['a broadcast', push('1', '1', 'a', 'b', 'x', 2)],
        ['an unknown kind', push('1', '1', 'a', 'b', 'x', 3)],
    ]) {
        test(what, async (t) => {
            const c = await client(t);

            c.send(Buffer.from(data));
            assert.equal((await within(c.closed, 'the close')).code, 1011);
        });
    }
});


describe('a malformed push is answered', () => {
    for (const [what, data, answer] of [
        ['fields that are not there', [0, 1, 1, 255, 1, 49, 50, 97],
         '[null,"2","phoenix"'],
        ['a topic that is no UTF-8', push('1', '2', [0xff], 'b', 'x'),
         '[null,"2","phoenix"'],
        ['a character over two fields', push('1', '2', [0xc3], [0xa9], 'x'),
         '[null,"2","phoenix"'],
        ['an event that is no UTF-8', push('1', '2', 'a', [0xff], 'x'),
         '["1","2","a"'],
        ['a join_ref with a quote', push('"', '2', 'a', 'b', 'x'),
         '[null,"2","a"'],
    ]) {
        test(what, async (t) => {
            const c = await client(t);

            c.send(Buffer.from(data));

            const reply = await c.text();

            assert.ok(reply.startsWith(`${answer},"phx_reply",`), reply);
            assert.equal(JSON.parse(reply)[4].status, 'error');
            assert.deepEqual(await c.pending(), []);
        });
    }

    test('or counted, if its ref cannot be read', async (t) => {
        const c = await client(t);
        const { unanswered } = await stack.nginx.status();

        c.send(Buffer.from(push('1', '"', 'a', 'b', 'x')));
        assert.deepEqual(await c.pending(), []);
        assert.equal((await stack.nginx.status()).unanswered, unanswered + 1);
    });
});
