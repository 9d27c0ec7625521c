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
        kairos_max_channels 10;`, http: 'kairos_zone idle 256k;',
        server: `location /idle { kairos idle; kairos_idle_timeout 500ms; }
                 location = /status/idle { kairos_status idle; }` });
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
    const before = await stack.nginx.status();

    c.send(fits);
    await c.replyTo('1', 'a heartbeat of 16384 bytes');
    assert.equal((await stack.nginx.status()).too_large, before.too_large);
    c.send(fits.replace('"x":"', '"x":"y'));

    const { code, reason } = await within(c.closed, 'the close');

    assert.equal(code, 1009);
    assert.ok(stack.nginx.errorLog().includes(`with code 1009: ${reason}`));
    assert.equal((await stack.nginx.status()).too_large,
                 before.too_large + 1);
});


test('a frame is refused by the size it announces', async (t) => {
    const before = (await stack.nginx.status()).too_large;

    /* in one frame, and in the second part of a message */
    for (const parts of [[16385], [16000, 385]]) {
        const raw = await Raw.open(stack.port);
        const last = parts.pop();

        t.after(() => raw.destroy());

        for (const n of parts) {
            raw.send(frame(TEXT, 'x'.repeat(n), { fin: false }));
        }

        /* the header alone: nothing of what it announces */
        raw.send(frame(parts.length ? 0 : TEXT, 'x'.repeat(last))
                 .subarray(0, 8));
        assert.equal(await raw.closeCode(), 1009);
    }

    assert.equal((await stack.nginx.status()).too_large, before + 2);
});


test('who says nothing for kairos_idle_timeout is closed', async (t) => {
    const base = `ws://127.0.0.1:${stack.port}/idle`;
    const silent = await Client.connect(base, { name: 'silent',
                                                autoPong: false });
    const busy = await Client.connect(base, { name: 'busy' });

    t.after(() => busy.ws.terminate());

    let closed = false;

    silent.closed.then(() => { closed = true; });

    /* only the one that says nothing */
    await until(async () => {
        assert.deepEqual(await busy.pending(), []);
        return closed;
    }, 'the silent one is closed');

    const { code, reason } = await silent.closed;

    assert.equal(code, 1002);
    assert.equal(reason, 'idle for too long');
    assert.match(stack.nginx.errorLog(),
                 /\[info\].* with code 1002: idle for too long/);

    const { idle, sockets } = await stack.nginx.status('/status/idle');

    assert.deepEqual({ idle, sockets }, { idle: 1, sockets: 1 });
});


test('what goes in and out is counted to the byte', async (t) => {
    const raw = await Raw.open(stack.port);
    const c = await client(t);
    const [join, push] = ['["1","1","bytes","phx_join",{}]',
                          '["1",null,"bytes","e",{"body":"\u00e9"}]'];

    t.after(() => raw.destroy());
    await c.join('bytes');

    const before = await stack.nginx.status();
    const sent = [frame(TEXT, join), frame(TEXT, push.slice(0, 20),
                                           { fin: false }),
                  frame(0, push.slice(20))];
    const got = [];

    raw.send(...sent);
    got.push(await raw.next(), await raw.next());
    await c.event('bytes', 'e');

    const after = await stack.nginx.status();
    const grown = (name) => after[name] - before[name];
    const size = (list) => list.reduce((sum, b) => sum + b.length, 0);
    const event = got[1].payload.length + 2;

    assert.equal(grown('messages_in'), 2);
    assert.equal(grown('bytes_in'), size(sent));
    assert.equal(grown('messages_out'), 3);
    assert.equal(grown('bytes_out'), got[0].payload.length + 2 + 2 * event);
    assert.equal(grown('published'), 1);
});


/* A member of the topic that reads nothing any more. */
async function deaf(t, topic) {
    const raw = await Raw.open(stack.port);

    t.after(() => raw.destroy());
    raw.send(frame(TEXT, `["1","1","${topic}","phx_join",{}]`));
    await raw.nextText('the reply to the join');
    raw.tcp.pause();
    return raw;
}


test('a slow client that reads again at once is told why', async (t) => {
    const sender = await client(t);
    const slow = await deaf(t, 'slow');
    const { slow: before } = await stack.nginx.status();
    const body = 'x'.repeat(8000);

    await sender.join('slow');

    for (let n = 0; (await stack.nginx.status()).slow == before; n++) {
        assert.ok(n < 100, 'the slow client is closed');

        for (let i = 0; i < 50; i++) {
            sender.push('slow', 'e', { body });
            await sender.event('slow', 'e');
        }
    }

    slow.tcp.resume();
    assert.equal(await slow.closeCode(), 1013);
    assert.match(stack.nginx.errorLog(), new RegExp(
        '\\[info\\].* with code 1013: the client reads too slowly'));
    assert.equal((await stack.nginx.status()).slow, before + 1);
});


test('a client that stops reading is closed; the others get all',
     async (t) => {
    const sender = await client(t);
    const reader = await client(t);
    const slow = await deaf(t, 'flood');
    const body = 'x'.repeat(8000);
    const count = 4000;

    await sender.join('flood');
    await reader.join('flood');

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


test('who begins to read again is told why it was closed', async (t) => {
    const sender = await client(t);
    const slow = await Raw.open(stack.port);
    const body = 'x'.repeat(8000);
    const full = /kairos closes socket \d+ with code 1013: the client reads/g;
    const before = stack.nginx.errorLog().match(full)?.length ?? 0;

    t.after(() => slow.destroy());
    await sender.join('flood');
    slow.send(frame(TEXT, '["1","1","flood","phx_join",{}]'));
    await slow.nextText('the reply to the join');
    slow.tcp.pause();

    for (let n = 0; n < 4000; n++) {
        sender.push('flood', 'e', { body: { n, body } });
        await sender.event('flood', 'e');

        if ((stack.nginx.errorLog().match(full)?.length ?? 0) > before) {
            break;
        }
    }

    slow.tcp.resume();
    assert.equal(await slow.closeCode(), 1013);
});


test('a silent socket is closed with 1002, and cut if it does not answer',
     async (t) => {
    const idle = await startStack({ postgres: false, workers: 1,
                                    directives: 'kairos_idle_timeout 1s;' });

    t.after(() => idle.stop());

    const silent = await Raw.open(idle.port);
    const hears = await Client.connect(idle.base);
    const speaks = await Client.connect(idle.base, { autoPong: false });

    for (const c of [hears, speaks]) {
        t.after(() => c.ws.terminate());
        await c.join('room');
    }

    /* what comes in counts: the answers to pings, and pushes */
    const talk = setInterval(() => speaks.push('room', 'e', { body: 1 }), 200);

    t.after(() => clearInterval(talk));
    t.after(() => silent.destroy());

    assert.equal(await silent.closeCode(), 1002);
    await within(silent.ended, 'it is cut');

    /* five seconds that it had to answer */
    assert.equal(hears.ws.readyState, hears.ws.OPEN);
    assert.equal(speaks.ws.readyState, speaks.ws.OPEN);

    clearInterval(talk);

    const { code, reason } = await within(speaks.closed, 'the close');

    assert.deepEqual([code, reason], [1002, 'idle for too long']);
    assert.equal(hears.ws.readyState, hears.ws.OPEN);
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

    const { refused_channels: before }
        = await until(async () => {
            const status = await stack.nginx.status();

            return status.channels == 10 && status;
        }, 'no channels are left but these');

    await assert.rejects(c.join('room:10'), /too many channels joined/);
    assert.equal((await stack.nginx.status()).refused_channels, before + 1);
    await c.join('room:3');                         /* again: no new one */
    await c.call('room:0', 'phx_leave');
    await c.join('room:10');
    c.push('room:10', 'e', { body: 1 });
    assert.deepEqual(await c.event('room:10', 'e'), { body: 1 });
});


test('20000 clients that come and go leave nothing behind', {
    skip: process.env.KAIROS_SANITIZE && 'a sanitizer keeps what was freed',
}, async (t) => {
    const c = await client(t);

    await c.join('churn');

    /* connect, join, leave, be gone: the worker must not grow with it */
    const worker = stack.nginx.workers()[0];
    const one = async (i) => {
        const raw = await Raw.open(stack.port, { then: Buffer.concat([
            frame(TEXT, '["1","1","churn","phx_join",{}]'),
            frame(TEXT, `["2","2","own:${i}","phx_join",{}]`)]) });

        await raw.nextText('the reply to the first join');
        await raw.nextText('the reply to the second');

        if (i % 10 == 0) {
            c.push('churn', 'e', { body: 'x'.repeat(2000) });
            await raw.nextText('a broadcast');
        }

        if (i % 2 == 0) {
            raw.send(frame(TEXT, '["2","3","own:' + i + '","phx_leave",{}]'));
            await raw.frames.find((f) => /phx_close/.test(f.payload ?? ''));
        }

        raw.destroy();
        await within(raw.ended, 'the end');
    };

    const rounds = async (n) => {
        for (let i = 0; i < n; i += 20) {
            await Promise.all(Array.from({ length: 20 }, (_, k) => one(i + k)));
            c.inbox.items.length = 0;
        }

        return until(async () => {
            const status = await stack.nginx.status();

            return status.sockets == 1 && status.channels == 1 && status;
        }, 'only one socket is left');
    };

    await rounds(2000);

    const before = memory(worker);
    const { opened } = await rounds(20000);
    const grown = memory(worker) - before;

    t.diagnostic(`the worker grew by ${grown} kB from ${before} kB`);
    assert.ok(opened >= 22000);
    assert.ok(grown < 512, `the worker grew by ${grown} kB`);
});


test('an idle socket that joined takes little memory', {
    skip: process.env.KAIROS_SANITIZE && 'a sanitizer takes more',
}, async (t) => {
    const worker = stack.nginx.workers()[0];
    const raws = [];
    const more = async (n) => {
        for (let i = 0; i < n; i++) {
            const raw = await Raw.open(stack.port, { then: frame(
                TEXT, '["1","1","idle","phx_join",{}]') });

            t.after(() => raw.destroy());
            await raw.nextText('the reply to the join');
            raws.push(raw);
        }
    };

    await more(200);

    const before = memory(worker);

    await more(800);

    const each = (memory(worker) - before) * 1024 / 800;

    t.diagnostic(`${Math.round(each)} bytes for each socket`);
    assert.ok(each < 2500, `${each} bytes for each socket`);
});


function memory(pid) {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');

    return Number(/^RssAnon:\s+(\d+) kB/m.exec(status)[1]);
}
