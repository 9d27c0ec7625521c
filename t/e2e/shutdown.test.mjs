/*
 * How nginx leaves its clients: with a code after which phoenix.js comes
 * back, whatever the signal was.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { until, within } from './lib/await.mjs';
import { Client } from './lib/client.mjs';
import { Raw, TEXT, frame } from './lib/raw.mjs';
import { startStack } from './lib/stack.mjs';


/* Starts nginx with n clients, all joined to one topic. */
async function joined(n, t, options) {
    const stack = await startStack({ postgres: false, workers: 1,
                                     ...options });

    t.after(() => stack.stop());

    const clients = await Promise.all(Array.from(
        { length: n }, (_, i) => Client.connect(stack.base,
                                                { name: `client ${i}` })));

    for (const c of clients) {
        t.after(() => c.ws.terminate());
        await c.join('room');
    }

    return [stack, clients];
}


describe('a fast stop', () => {
    test('says 1001 to every client', async (t) => {
        const [stack, clients] = await joined(50, t);

        await stack.nginx.stop('SIGTERM');

        for (const c of clients) {
            const { code, reason } = await within(c.closed, 'the close');

            assert.equal(code, 1001);
            assert.match(reason, /connect again/);
        }
    });

    test('is not held up by who does not read', async (t) => {
        const [stack, [c]] = await joined(1, t);
        const slow = await Raw.open(stack.port);

        t.after(() => slow.destroy());
        slow.send(frame(TEXT, '["1","1","room","phx_join",{}]'));
        await slow.nextText('the reply to the join');
        slow.tcp.pause();

        /* more than the kernel takes, less than kairos_queue_size */
        for (let i = 0; i < 110; i++) {
            c.push('room', 'e', { body: 'x'.repeat(60000) });
            await c.event('room', 'e');
        }

        const start = Date.now();

        await stack.nginx.stop('SIGTERM');
        assert.ok(Date.now() - start < 3000);
        assert.equal((await within(c.closed, 'the close')).code, 1001);
    });

    test('also ends a worker that was shutting down, without complaint',
         async (t) => {
        const [stack, [c]] = await joined(1, t, {
            directives: 'kairos_drain 10m;' });

        await stack.nginx.reload();
        await stack.nginx.stop('SIGTERM');
        assert.equal((await within(c.closed, 'the close')).code, 1001);
        assert.doesNotMatch(stack.nginx.errorLog(), /open socket/);
    });

    test('sends no second close frame', async (t) => {
        const [stack] = await joined(1, t);
        const raw = await Raw.open(stack.port);

        t.after(() => raw.destroy());

        /* closed for what it sent, and the answer is kept back */
        raw.send(frame(TEXT, 'nonsense'));
        assert.equal(await raw.closeCode(), 1011);
        await stack.nginx.stop('SIGTERM');
        await within(raw.ended, 'the end');
        assert.deepEqual(raw.frames.items, [{ end: true }]);
    });
});


describe('a graceful stop', () => {
    test('says 1012 within kairos_drain', async (t) => {
        const [stack, clients] = await joined(20, t, {
            directives: 'kairos_drain 200ms;' });

        await stack.nginx.stop('SIGQUIT');

        for (const c of clients) {
            assert.equal((await within(c.closed, 'the close')).code, 1012);
        }
    });

    test('says 1012 when worker_shutdown_timeout passes first',
         async (t) => {
        const [stack, clients] = await joined(20, t, {
            directives: 'kairos_drain 10m;',
            main: 'worker_shutdown_timeout 300ms;' });

        await stack.nginx.stop('SIGQUIT');

        for (const c of clients) {
            assert.equal((await within(c.closed, 'the close')).code, 1012);
        }
    });

    test('serves until the goodbye', async (t) => {
        const [stack, [a, b]] = await joined(2, t, {
            directives: 'kairos_drain 10m;',
            main: 'worker_shutdown_timeout 2s;' });
        const old = stack.nginx.workers();

        await stack.nginx.reload();
        assert.deepEqual(old.filter((pid) => stack.nginx.connections(pid)),
                         old);
        a.push('room', 'e', { body: 'late' });
        assert.deepEqual(await b.event('room', 'e'), { body: 'late' });
        assert.equal((await within(b.closed, 'the close')).code, 1012);
        await until(() => !stack.nginx.workers().includes(old[0]),
                    'the old worker ended');
    });
});
