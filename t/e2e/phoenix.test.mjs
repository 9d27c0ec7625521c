/*
 * Phoenix' own JavaScript client, the newest and the one that the SDK of
 * its time was built on.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import WebSocket from 'ws';

import { Inbox, within } from './lib/await.mjs';
import { startStack } from './lib/stack.mjs';


let stack;

before(async () => {
    stack = await startStack({ postgres: false,
                               directives: 'kairos_drain 300ms;' });
});

after(() => stack?.stop());


for (const name of ['phoenix', 'phoenix-1.7']) {
    const { Socket } = await import(name);

    describe(name, () => {
        async function open(t, options = {}) {
            const socket = new Socket(stack.base, {
                transport: WebSocket, params: {},
                reconnectAfterMs: () => 50, rejoinAfterMs: () => 50,
                ...options });

            const opened = new Promise((resolve) => socket.onOpen(resolve));

            t.after(() => new Promise((resolve) => {
                socket.disconnect(resolve);
            }));

            socket.connect();
            await within(opened, 'the socket is open');
            return socket;
        }

        function join(channel) {
            return within(new Promise((resolve, reject) => {
                channel.join().receive('ok', resolve)
                       .receive('error', reject)
                       .receive('timeout', () => reject(new Error('timeout')));
            }), `the join of ${channel.topic}`);
        }

        function push(channel, event, payload) {
            return within(new Promise((resolve) => {
                channel.push(event, payload)
                       .receive('ok', (r) => resolve(['ok', r]))
                       .receive('error', (r) => resolve(['error', r]))
                       .receive('timeout', (r) => resolve(['timeout', r]));
            }), `the answer to ${event}`);
        }

        function inbox(channel, event) {
            const box = new Inbox(`${channel.topic} ${event}`);

            channel.on(event, (payload) => box.put(payload));
            return box;
        }

        test('joins, pushes and receives', async (t) => {
            const [one, two] = [await open(t), await open(t)];
            const a = one.channel('room:1', { userid: 'a' });
            const b = two.channel('room:1', {});
            const heard = inbox(b, 'hello');

            assert.deepEqual(await join(a), {});
            await join(b);
            assert.deepEqual(await push(a, 'hello', { body: { n: 1 } }),
                             ['ok', {}]);
            assert.deepEqual(await heard.take(), { body: { n: 1 } });
        });

        test('is told what is wrong with a push', async (t) => {
            const channel = (await open(t)).channel('room:2', {});

            await join(channel);

            const [status, response] = await push(channel, 'hello', {});

            assert.equal(status, 'error');
            assert.match(response.reason, /body/);
            assert.equal(channel.state, 'joined');
        });

        test('leaves, and its onClose is called', async (t) => {
            const socket = await open(t);
            const channel = socket.channel('room:3', {});
            const closed = new Promise((resolve) => channel.onClose(resolve));

            await join(channel);
            await within(new Promise((resolve) => {
                channel.leave().receive('ok', resolve);
            }), 'the leave');
            await within(closed, 'onClose');
            assert.equal(socket.channels.length, 0);
        });

        test('heartbeats are answered', async (t) => {
            const socket = await open(t, { heartbeatIntervalMs: 30 });
            const answers = new Inbox('heartbeats');

            socket.onMessage((m) => {
                if (m.topic == 'phoenix') {
                    answers.put(m);
                }
            });

            for (let i = 0; i < 3; i++) {
                const { payload } = await answers.take('a heartbeat');

                assert.equal(payload.status, 'ok');
            }

            assert.equal(socket.isConnected(), true);
        });

        test('comes back and joins again after a reload', async (t) => {
            const socket = await open(t);
            const channel = socket.channel('room:4', {});
            const failed = new Promise((resolve) => channel.onError(resolve));
            const heard = inbox(channel, 'hello');

            await join(channel);

            const opened = new Promise((resolve) => socket.onOpen(resolve));
            const joined = new Promise((resolve) => {
                channel.joinPush.receive('ok', resolve);
            });

            await stack.nginx.reload();
            await within(failed, 'onError');
            await within(opened, 'the socket is open again');
            await within(joined, 'the channel is joined again');

            await push(channel, 'hello', { body: 'again' });
            assert.deepEqual(await heard.take(), { body: 'again' });
        });

        test('a topic of one socket joined twice has one channel',
             async (t) => {
            const socket = await open(t);
            const first = socket.channel('room:5', {});

            await join(first);

            const second = socket.channel('room:5', {});

            await join(second);

            const heard = inbox(second, 'hello');

            await push(second, 'hello', { body: 1 });
            await heard.take();
            await push(second, 'bye', { body: 2 });
            assert.deepEqual(heard.items, []);
        });

        test('an ArrayBuffer reaches the members as one', async (t) => {
            const channel = (await open(t)).channel('room:6', {});
            const heard = inbox(channel, 'bytes');
            const bytes = new Uint8Array([0, 1, 254, 255]);

            await join(channel);
            assert.deepEqual(await push(channel, 'bytes', bytes.buffer),
                             ['ok', {}]);
            assert.deepEqual(new Uint8Array(await heard.take()), bytes);
        });
    });
}
