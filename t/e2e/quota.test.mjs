/*
 * How many sockets may come, over all workers, and how fast each may send.
 */

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { existsSync } from 'node:fs';
import { test } from 'node:test';

import { LIMIT, until, within } from './lib/await.mjs';
import { Client } from './lib/client.mjs';
import { Raw, TEXT, closeFrame, frame } from './lib/raw.mjs';
import { startStack } from './lib/stack.mjs';


const SECRET = 'the secret of these tests, with 32 bytes or more';


async function start(t, directives, options = {}) {
    const stack = await startStack({ postgres: false, workers: 2, directives,
                                     ...options });

    t.after(() => stack.stop());
    return stack;
}


/* Opens a socket, or gives what the refusal said. */
async function open(t, stack, options = {}) {
    const raw = await Raw.open(stack.port, options);

    t.after(() => raw.destroy());
    raw.refused = raw.head.status != 101;
    return raw;
}


/* Opens n at once; gives those that got in. */
async function admitted(t, stack, n, options) {
    const all = await Promise.all(Array.from(
        { length: n }, () => open(t, stack, options)));

    return all.filter((raw) => !raw.refused);
}


/* Waits until one socket more is let in. */
function opens(t, stack, options) {
    return until(async () => {
        const raw = await open(t, stack, options);

        return !raw.refused && raw;
    }, 'there is room for one more');
}


function body(raw) {
    return until(() => raw.buffer.toString(), 'the body of the refusal');
}


const from = (address) => ({ headers: { 'X-Forwarded-For': address } });

const REALIP = `set_real_ip_from 127.0.0.1; real_ip_header X-Forwarded-For;`;


test('kairos_max_connections holds for all workers together', async (t) => {
    const stack = await start(t, 'kairos_max_connections 10;');
    const sockets = await admitted(t, stack, 50);

    assert.equal(sockets.length, 10);

    const over = await open(t, stack);

    assert.equal(over.head.status, 503);
    assert.equal(over.head.headers['retry-after'], '10');
    assert.equal(over.head.headers['content-type'], 'text/plain');
    assert.equal(await body(over), 'too many sockets of all clients, '
                                   + 'kairos_max_connections is 10\n');

    assert.equal(stack.nginx.errorLog()
                 .match(/\[info\].* 503: .*kairos_max_connections is 10/g)
                 .length, 41);

    const { sockets: there, opened, refused_connections: refused }
        = await stack.nginx.status();

    assert.deepEqual([there, opened, refused], [10, 10, 41]);

    /* who leaves makes room for one, whether it says goodbye or not */
    sockets[0].destroy();
    await opens(t, stack);
    sockets[1].send(closeFrame(1000));
    await opens(t, stack);
    assert.ok((await open(t, stack)).refused);
});


test('a refused upgrade takes no place', async (t) => {
    const stack = await start(t, 'kairos_max_connections 2; kairos_origins'
                                 + ' https://app.example.com;');

    for (let i = 0; i < 5; i++) {
        const raw = await open(t, stack, { headers: { Origin: 'http://x' } });

        assert.equal(raw.head.status, 403);
    }

    assert.equal((await admitted(t, stack, 4)).length, 2);
});


test('after a reload the sockets of old workers count', async (t) => {
    const stack = await start(t, 'kairos_max_connections 4; kairos_drain 10m;'
                                 + 'kairos_max_per_address 4;');
    let sockets = await admitted(t, stack, 8);

    assert.equal(sockets.length, 4);

    for (let i = 0; i < 4; i++) {
        await stack.nginx.reload();
        assert.ok((await open(t, stack)).refused);

        /* one of the old workers' makes room for one in a new one */
        sockets.shift().destroy();
        sockets.push(await opens(t, stack));
        assert.ok((await open(t, stack)).refused);
    }

    for (const raw of sockets) {
        raw.destroy();
    }

    sockets = [];

    for (let i = 0; i < 4; i++) {
        sockets.push(await opens(t, stack));
    }

    assert.ok((await open(t, stack)).refused);
});


for (const directive of ['kairos_max_connections', 'kairos_max_per_address']) {
    test(`${directive}: what a killed worker held is free`, async (t) => {
        const stack = await start(t, `${directive} 6; kairos_drain 10m;`);

        for (let round = 0; round < 5; round++) {
            for (let i = 0; i < 6; i++) {
                await opens(t, stack);
            }

            assert.ok((await open(t, stack)).refused);

            for (const worker of stack.nginx.workers()) {
                await stack.nginx.killWorker(worker);
            }
        }

        /* an old worker, which the master does not replace */
        for (let i = 0; i < 6; i++) {
            await opens(t, stack);
        }

        const old = stack.nginx.workers()
                    .filter((pid) => stack.nginx.connections(pid));

        await stack.nginx.reload();
        assert.ok((await open(t, stack)).refused);

        for (const worker of old) {
            await stack.nginx.killWorker(worker);
            await until(() => !existsSync(`/proc/${worker}`),
                        'the old worker is gone');
        }

        assert.equal((await admitted(t, stack, 9)).length, 6);
    });
}


test('kairos_max_per_address counts each address by itself', async (t) => {
    const stack = await start(t, 'kairos_max_per_address 3;',
                              { server: REALIP });
    const sockets = await admitted(t, stack, 9, from('192.0.2.1'));

    assert.equal(sockets.length, 3);
    assert.equal((await admitted(t, stack, 9, from('192.0.2.2'))).length, 3);

    const over = await open(t, stack, from('192.0.2.1'));

    assert.equal(over.head.status, 429);
    assert.equal(over.head.headers['content-type'], 'text/plain');
    assert.equal(await body(over), 'too many sockets of one address, '
                                   + 'kairos_max_per_address is 3\n');
    assert.match(stack.nginx.errorLog(),
                 /\[info\].* 429: .*kairos_max_per_address is 3/);
    assert.equal((await stack.nginx.status()).refused_address, 13);

    sockets[0].destroy();
    await opens(t, stack, from('192.0.2.1'));
    assert.ok((await open(t, stack, from('192.0.2.1'))).refused);
});


test('who finds no room in the zone to be counted is let in', async (t) => {
    const stack = await start(t, 'kairos_max_per_address 1;', {
        server: REALIP, workers: 1, zone: 'kairos_zone live 64k;' });
    const n = 400;

    for (let i = 0; i < n; i++) {
        const raw = await open(t, stack, from(`192.0.${i >> 8}.${i & 255}`));

        assert.ok(!raw.refused);
    }

    const { sockets, uncounted } = await stack.nginx.status();

    assert.equal(sockets, n);
    assert.ok(uncounted > 0 && uncounted < n, `${uncounted} of ${n}`);
    assert.equal(stack.nginx.errorLog().match(
        /\[warn\].*"live" has no room to count another address/g).length, 1);
});


test('an IPv6 address is its network of 64 bits', async (t) => {
    const stack = await start(t, 'kairos_max_per_address 2;',
                              { server: REALIP });
    const tries = ['2001:db8::1', '2001:db8::2', '2001:db8:0:0:ffff::',
                   '2001:db8:0:1::1', '::ffff:192.0.2.1', '192.0.2.1',
                   '::ffff:192.0.2.1'];
    const refused = [];

    for (const address of tries) {
        if ((await open(t, stack, from(address))).refused) {
            refused.push(address);
        }
    }

    assert.deepEqual(refused, ['2001:db8:0:0:ffff::', '::ffff:192.0.2.1']);
    assert.equal((await stack.nginx.status()).refused_address, 2);
});


test('kairos_max_per_user counts by the token\'s sub', async (t) => {
    const stack = await start(t, `kairos_max_per_user 2; kairos_auth on;
                                  kairos_auth_secret '${SECRET}';`);
    const as = (claims) => ({ path: '/realtime/websocket?vsn=2.0.0&token='
                                    + token(claims) });

    assert.equal((await admitted(t, stack, 6, as('"sub":"ann"'))).length, 2);
    assert.equal((await admitted(t, stack, 6, as('"sub":"bob"'))).length, 2);
    assert.equal((await admitted(t, stack, 6, as('"sub":7'))).length, 2);
    assert.equal((await admitted(t, stack, 6, as('"sub":"7"'))).length, 2);
    assert.equal((await admitted(t, stack, 6, as('"x":1'))).length, 6);

    /* the same name, written otherwise */
    const over = await open(t, stack, as('"sub":"a\\u006en"'));

    assert.equal(over.head.status, 429);
    assert.equal(await body(over), 'too many sockets of one user, '
                                   + 'kairos_max_per_user is 2\n');

    assert.equal((await stack.nginx.status()).refused_user, 4 * 4 + 1);

    /* a bad token is told so, and takes nobody's place */
    const bad = await open(t, stack, { path: '/realtime/websocket?vsn=2.0.0'
                                             + '&token=x' });

    assert.equal(bad.head.status, 403);
});


test('who sends faster than kairos_message_rate is read more slowly',
     async (t) => {
    const stack = await start(t, 'kairos_message_rate 20;', { workers: 1 });
    const fast = await Client.connect(stack.base);
    const other = await Client.connect(stack.base);

    t.after(() => fast.ws.terminate());
    t.after(() => other.ws.terminate());

    const begin = Date.now();

    for (let i = 0; i < 100; i++) {
        fast.send([null, `${i}`, 'phoenix', 'heartbeat', {}]);
    }

    /* 40 at once, 60 more at 20 a second; nobody else waits */
    await fast.replyTo('39', 'a message of the burst');
    await other.pending();

    const refs = fast.inbox.items.map((text) => JSON.parse(text)[1]);

    assert.ok(!refs.includes('99'), 'the last is answered already');
    await fast.replyTo('99', 'the last message');

    const took = Date.now() - begin;

    assert.ok(took >= 2900, `100 messages took ${took} ms`);
    assert.equal(stack.nginx.errorLog()
                 .match(/\[info\].*kairos_message_rate 20 allows/g).length, 1);

    const { paused, held } = await stack.nginx.status();

    assert.ok(paused > 1 && paused <= 60, `paused ${paused} times`);
    assert.equal(held, 0);

    /* the bucket fills again, and no more than that */
    await until(() => Date.now() - begin > took + 2500, 'the bucket is full');

    const again = Date.now();

    for (let i = 0; i < 50; i++) {
        fast.ws.ping();
    }

    fast.send([null, 'x', 'phoenix', 'heartbeat', {}]);
    await fast.replyTo('x', 'what is behind 50 pings');
    assert.ok(Date.now() - again >= 450, `${Date.now() - again} ms`);
    await fast.close();
});


test('a paused socket does not grow the server, and its end is seen',
     async (t) => {
    const stack = await start(t, 'kairos_message_rate 1; kairos_drain 0;',
                              { workers: 1 });
    const raw = await open(t, stack);
    const beat = frame(TEXT, `[null,"1","phoenix","heartbeat",{"x":"${
                              'x'.repeat(60000)}"}]`);

    /* 48 MB are more than the kernel takes */
    for (let i = 0; i < 800; i++) {
        raw.tcp.write(beat);
    }

    await until(() => raw.frames.items.length >= 4, 'four answers');
    assert.ok(raw.tcp.writableLength > 0, 'all was read');
    assert.equal(raw.frames.items.filter((f) => f.opcode != TEXT).length, 0);

    /* the reload's goodbye does not wait for the bucket */
    const old = stack.nginx.workers()[0];

    await stack.nginx.reload();
    assert.equal(await raw.closeCode(), 1012);
    raw.destroy();
    await until(() => !existsSync(`/proc/${old}`), 'the old worker has ended',
                2 * LIMIT);
});


test('who is gone publishes nothing more of what kairos_message_rate held up',
     async (t) => {
    const stack = await start(t, 'kairos_message_rate 10;', { workers: 1 });
    const hears = await Client.connect(stack.base);
    const raw = await open(t, stack);

    t.after(() => hears.ws.terminate());
    await hears.join('room');

    const pushes = Array.from({ length: 100 }, (_, i) => frame(
        TEXT, `["1",null,"room","e",{"body":${i}}]`));

    raw.send(frame(TEXT, '["1","1","room","phx_join",{}]'), ...pushes);
    await hears.event('room', 'e');
    raw.tcp.end();

    await until(async () => (await stack.nginx.status()).sockets == 1,
                'the socket is gone');

    /* a burst of two seconds passes, and not what waits for eight more */
    const heard = await hears.pending();

    assert.ok(heard.length < 40, `${heard.length} of 100`);
    assert.deepEqual(heard.map((text) => JSON.parse(text)[4].body),
                     heard.map((_, i) => i + 1));
    await within(raw.ended, 'the end');
});


test('a close frame is answered, though a pause was before it', async (t) => {
    const stack = await start(t, 'kairos_message_rate 5;', { workers: 1 });
    const raw = await open(t, stack);
    const beats = Array.from({ length: 14 }, (_, i) => frame(
        TEXT, `[null,"${i}","phoenix","heartbeat",{}]`));

    raw.send(...beats, closeFrame(1000));
    assert.equal(await raw.closeCode(), 1000);
    await within(raw.ended, 'the end');
});


function token(claims) {
    const encode = (text) => Buffer.from(text).toString('base64url');
    const exp = Math.floor(Date.now() / 1000) + 600;
    const text = `${encode('{"alg":"HS256","typ":"JWT"}')}.`
                 + encode(`{${claims},"exp":${exp}}`);

    return `${text}.${createHmac('sha256', SECRET).update(text)
                      .digest('base64url')}`;
}
