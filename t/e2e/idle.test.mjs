/*
 * kairos_idle_timeout: a client that has gone without a word is closed, also
 * while the server sends to it; a client that is there is not.
 */

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, test } from 'node:test';

import { Inbox, until, within } from './lib/await.mjs';
import { Client } from './lib/client.mjs';
import { PING, Raw, TEXT, frame } from './lib/raw.mjs';
import { startStack } from './lib/stack.mjs';


const SECRET = 'the secret of these tests, with 32 bytes or more';

let stack;

before(async () => {
    stack = await startStack({ postgres: false, workers: 1, directives: `
        kairos_idle_timeout 800ms;
        kairos_drain 10m;`,
        http: 'kairos_zone slow 256k; kairos_zone ann 256k;',
        server: `
        location /slow { kairos slow; kairos_idle_timeout 400ms;
                         kairos_message_rate 1; }
        location /ann { kairos ann; kairos_idle_timeout 800ms;
                        kairos_max_per_user 1; kairos_auth on;
                        kairos_auth_secret '${SECRET}'; }` });
});

after(() => stack?.stop());


/* A client of the ws package, which answers pings; and the pings it got. */
async function answering(t, base = stack.base) {
    const c = await Client.connect(base);

    t.after(() => c.ws.terminate());
    c.pings = new Inbox('the pings');
    c.ws.on('ping', () => c.pings.put('ping'));
    c.ws.on('close', (code) => c.pings.put(`closed ${code}`));
    return c;
}


/* A client that answers no ping, and has joined the topic. */
async function deaf(t, topic, path = '/realtime/websocket?vsn=2.0.0') {
    const raw = await Raw.open(stack.port, { path });

    t.after(() => raw.destroy());
    raw.send(frame(TEXT, `["1","1","${topic}","phx_join",{}]`));
    await raw.nextText('the reply to the join');
    return raw;
}


/* Somebody talks on the topic until the test ends. */
async function busy(t, topic, base = stack.base) {
    const c = await answering(t, base);

    await c.join(topic);

    const talk = setInterval(() => c.push(topic, 'e', { body: 1 }), 50);

    t.after(() => clearInterval(talk));
    return c;
}


/* Longer than two limits: as many pings were sent, at half a limit each. */
async function stays(c) {
    for (let i = 0; i < 5; i++) {
        assert.equal(await c.pings.take('a ping'), 'ping');
    }
}


test('who answers no ping is closed, though its topic is busy', async (t) => {
    const { idle: before } = await stack.nginx.status();

    await busy(t, 'busy');

    const raw = await deaf(t, 'busy');
    const ping = await raw.frames.find((f) => f.end || f.opcode == PING,
                                       'a ping');

    assert.deepEqual([ping.opcode, ping.fin, ping.payload.length],
                     [PING, 1, 0]);
    assert.equal(await raw.closeCode(), 1002);

    /* it was asked once */
    assert.equal(raw.frames.items.filter((f) => f.opcode == PING).length, 0);
    assert.equal((await stack.nginx.status()).idle, before + 1);
});


test('who reads no more is closed, while the kernel still takes what is sent',
     async (t) => {
    const { idle: before } = await stack.nginx.status();

    await busy(t, 'paused');

    const raw = await deaf(t, 'paused');

    raw.tcp.pause();
    await until(async () => (await stack.nginx.status()).idle == before + 1,
                'the client is closed');
});


test('who answers pings and sends nothing else stays', async (t) => {
    await stays(await answering(t));
});


test('who answers pings alone stays on a busy topic', async (t) => {
    await busy(t, 'heard');

    const c = await answering(t);

    await c.join('heard');
    await stays(c);
    await c.event('heard', 'e');
});


test('who sends is not asked', async (t) => {
    const c = await busy(t, 'own');
    const silent = await deaf(t, 'other');

    assert.equal(await silent.closeCode(), 1002);
    assert.deepEqual(c.pings.items, []);
});


test('who is held up by kairos_message_rate is not judged', async (t) => {
    const raw = await Raw.open(stack.port, {
        path: '/slow/websocket?vsn=2.0.0' });

    t.after(() => raw.destroy());

    /* two at once, the others a second apart, each longer than the limit */
    for (let i = 0; i < 4; i++) {
        raw.send(frame(TEXT, `[null,"${i}","phoenix","heartbeat",{}]`));
    }

    for (let i = 0; i < 4; i++) {
        const text = await raw.nextText('the answer to a heartbeat');

        assert.equal(JSON.parse(text)[1], `${i}`);
    }

    assert.equal(await raw.closeCode(), 1002);
});


test('who is gone makes room for its own return', async (t) => {
    const path = `/ann/websocket?vsn=2.0.0&token=${token('"sub":"ann"')}`;
    const base = `ws://127.0.0.1:${stack.port}/ann`;

    const talker = await Client.connect(base, {
        query: `vsn=2.0.0&token=${token('"sub":"bob"')}` });

    t.after(() => talker.ws.terminate());
    await talker.join('room');

    const talk = setInterval(() => talker.push('room', 'e', { body: 1 }), 50);

    t.after(() => clearInterval(talk));

    const raw = await deaf(t, 'room', path);

    raw.tcp.pause();

    const back = async () => {
        const again = await Raw.open(stack.port, { path });

        t.after(() => again.destroy());
        return again.head.status;
    };

    assert.equal(await back(), 429);
    await until(async () => await back() == 101, 'ann is let in again');
});


test('the same holds in a worker that shuts down', async (t) => {
    const [c, raw] = [await answering(t), await deaf(t, 'old')];

    await stack.nginx.reload();
    await stays(c);
    assert.equal(await raw.closeCode(), 1002);
    await within(c.close(), 'the end');
});


function token(claims) {
    const encode = (text) => Buffer.from(text).toString('base64url');
    const exp = Math.floor(Date.now() / 1000) + 600;
    const text = `${encode('{"alg":"HS256","typ":"JWT"}')}.`
                 + encode(`{${claims},"exp":${exp}}`);

    return `${text}.${createHmac('sha256', SECRET).update(text)
                      .digest('base64url')}`;
}
