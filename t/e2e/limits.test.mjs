/*
 * What is bounded, and what happens at the bound.
 */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { LIMIT, until, within } from './lib/await.mjs';
import { Client } from './lib/client.mjs';
import { Raw, TEXT, frame } from './lib/raw.mjs';
import { startStack } from './lib/stack.mjs';


let stack;

before(async () => {
    stack = await startStack({ postgres: false, workers: 1, directives: `
        kairos_message_size 16k;
        kairos_queue_size 256k;
        kairos_max_channels 10;` });
});

after(() => stack?.stop());


async function client(t) {
    const c = await Client.connect(stack.base);

    t.after(() => c.ws.terminate());
    return c;
}


test('a message of exactly the limit passes, one byte more closes',
     async (t) => {
    const c = await client(t);
    const bare = '[null,"1","phoenix","heartbeat",{"x":""}]';
    const fits = bare.replace('""', `"${'x'.repeat(16384 - bare.length)}"`);

    c.send(fits);
    await c.replyTo('1', 'a heartbeat of 16384 bytes');
    c.send(fits.replace('"x":"', '"x":"y'));

    const { code } = await within(c.closed, 'the close');

    assert.equal(code, 1009);
});


test('a client that stops reading is closed; the others get all',
     async (t) => {
    const sender = await client(t);
    const reader = await client(t);
    const slow = await Raw.open(stack.port);
    const body = 'x'.repeat(8000);
    const count = 4000;

    t.after(() => slow.destroy());
    await sender.join('flood');
    await reader.join('flood');
    slow.send(frame(TEXT, '["1","1","flood","phx_join",{}]'));
    await slow.nextText('the reply to the join');
    slow.tcp.pause();

    for (let n = 0; n < count; n++) {
        sender.send([sender.joins.flood, null, 'flood', 'e',
                     { body: { n, body } }]);

        const heard = await reader.event('flood', 'e');

        assert.equal(heard.body.n, n);
        await sender.event('flood', 'e');
    }

    const worker = stack.nginx.workers()[0];

    await until(() => stack.nginx.connections(worker) == 2,
                'the slow client is closed', 2 * LIMIT);

    slow.tcp.resume();
    await within(slow.ended, 'the slow client sees its end');

    /* it got a part, in order, and then nothing */
    const numbers = slow.frames.items.filter((f) => f.opcode == TEXT)
                    .map((f) => JSON.parse(f.payload)[4].body.n);

    assert.ok(numbers.length < count, `${numbers.length} messages`);
    assert.deepEqual(numbers, numbers.map((_, i) => i));
    assert.deepEqual(await reader.pending(), []);
});


test('what a client calls things cannot break a line of the log',
     async (t) => {
    const c = await client(t);
    const name = 'x\n2026/01/01 00:00:00 [warn] 1#1: forged\u001b[2J';

    await c.call(name, name, { body: 1 });
    await c.call('y'.repeat(15000), 'e', { body: 1 });

    const log = stack.nginx.errorLog();

    assert.match(log, /refused "x\\n2026.*forged\\u001b.* unmatched topic/);
    assert.doesNotMatch(log, /^2026\/01\/01/m);
    assert.doesNotMatch(log, /y{65}/);
});


test('one channel too many is refused, a leave makes room', async (t) => {
    const c = await client(t);

    for (let i = 0; i < 10; i++) {
        await c.join(`room:${i}`);
    }

    await assert.rejects(c.join('room:10'), /channels/);
    await c.join('room:3');                         /* again: no new one */
    await c.call('room:0', 'phx_leave');
    await c.join('room:10');
    c.push('room:10', 'e', { body: 1 });
    assert.deepEqual(await c.event('room:10', 'e'), { body: 1 });
});


test('clients that come and go leave no memory behind', {
    skip: process.env.KAIROS_SANITIZE && 'a sanitizer keeps what was freed',
}, async (t) => {
    const c = await client(t);

    await c.join('churn');

    /* connect, join, be gone: the worker must not grow with it */
    const worker = stack.nginx.workers()[0];
    const rounds = async (n) => {
        for (let i = 0; i < n; i++) {
            const raw = await Raw.open(stack.port, { then: frame(
                TEXT, '["1","1","churn","phx_join",{}]') });

            await raw.nextText('the reply to the join');
            c.push('churn', 'e', { body: 'x'.repeat(2000) });
            await c.event('churn', 'e');
            await c.replyTo(`p${c.refs}`, 'a push');
            raw.destroy();
            await within(raw.ended, 'the end');
        }

        await until(() => stack.nginx.connections(worker) == 1,
                    'only one connection is left');
    };

    await rounds(300);

    const before = memory(worker);

    await rounds(1500);

    const grown = memory(worker) - before;

    t.diagnostic(`grew by ${grown} kB`);
    assert.ok(grown < 512, `the worker grew by ${grown} kB`);
});


function memory(pid) {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');

    return Number(/^RssAnon:\s+(\d+) kB/m.exec(status)[1]);
}
