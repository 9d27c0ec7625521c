/*
 * The upgrade and RFC 6455's framing, by hand: what no library would send.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { within } from './lib/await.mjs';
import { BINARY, CLOSE, PING, PONG, Raw, TEXT, closeFrame, frame }
    from './lib/raw.mjs';
import { startStack } from './lib/stack.mjs';


const HEARTBEAT = '[null,"1","phoenix","heartbeat",{}]';
const ANSWER = '[null,"1","phoenix","phx_reply",'
               + '{"response":{},"status":"ok"}]';

let stack;

before(async () => {
    stack = await startStack({ postgres: false, workers: 1,
                               directives: 'kairos_message_size 128k;' });
});

after(() => stack?.stop());


async function opened(t, options) {
    const raw = await Raw.open(stack.port, options);

    t.after(() => raw.destroy());
    assert.equal(raw.head.status, 101);
    return raw;
}


async function lives(raw) {
    raw.send(frame(TEXT, HEARTBEAT));
    assert.equal(await raw.nextText('the answer to a heartbeat'), ANSWER);
}


describe('upgrade', () => {
    test('is answered with 101 and the right key', async (t) => {
        const raw = await opened(t);

        assert.equal(raw.head.headers['sec-websocket-accept'], raw.accept);
        assert.equal(raw.head.headers.upgrade.toLowerCase(), 'websocket');
        assert.match(raw.head.headers.connection, /^upgrade$/i);
        assert.equal(raw.head.headers['sec-websocket-extensions'], undefined);
        assert.equal(raw.head.headers['content-length'], undefined);
        assert.equal(raw.head.headers['transfer-encoding'], undefined);
    });

    test('takes a frame that comes in the same segment', async (t) => {
        const raw = await opened(t, { then: frame(TEXT, HEARTBEAT) });

        assert.equal(await raw.nextText(), ANSWER);
    });

    test('takes half a frame behind it, and then the rest', async (t) => {
        const whole = frame(TEXT, HEARTBEAT);
        const raw = await opened(t, { then: whole.subarray(0, 9) });

        raw.send(whole.subarray(9));
        assert.equal(await raw.nextText(), ANSWER);
    });

    test('works with a slash behind, without vsn and with tokens in Connection',
         async (t) => {
        await lives(await opened(t, {
            path: '/realtime/websocket/?vsn=2.0.0',
            headers: { Connection: 'keep-alive, Upgrade' },
        }));

        const raw = await opened(t, { path: '/realtime/websocket' });

        raw.send(frame(TEXT, '{"topic":"phoenix","event":"heartbeat",'
                             + '"payload":{},"ref":"1"}'));
        assert.equal(await raw.nextText(), '{"event":"phx_reply","payload":'
                     + '{"response":{},"status":"ok"},"ref":"1",'
                     + '"topic":"phoenix"}');
    });

    for (const [what, options, status] of [
        ['without Upgrade', { headers: { Upgrade: undefined } }, 400],
        ['without a key',
         { headers: { 'Sec-WebSocket-Key': undefined } }, 400],
        ['with a key of 3 bytes',
         { headers: { 'Sec-WebSocket-Key': 'YWJj' } }, 400],
        ['of vsn 3.0.0', { path: '/realtime/websocket?vsn=3.0.0' }, 403],
        ['of vsn abc', { path: '/realtime/websocket?vsn=abc' }, 403],
        ['below an unknown address', { path: '/realtime/longpoll' }, 404],
    ]) {
        test(`${what} is answered with ${status}`, async (t) => {
            const raw = await Raw.open(stack.port, options);

            t.after(() => raw.destroy());
            assert.equal(raw.head.status, status);
        });
    }

    test('of another version names the one that is spoken', async (t) => {
        const raw = await Raw.open(stack.port, {
            headers: { 'Sec-WebSocket-Version': '12' } });

        t.after(() => raw.destroy());
        assert.equal(raw.head.status, 426);
        assert.equal(raw.head.headers['sec-websocket-version'], '13');
    });

    test('by POST is refused', async (t) => {
        const raw = await Raw.open(stack.port, {
            method: 'POST', headers: { 'Content-Length': '0' } });

        t.after(() => raw.destroy());
        assert.equal(raw.head.status, 405);
        assert.equal(raw.head.headers.allow, 'GET');
    });
});


describe('frames', () => {
    test('a message in fragments, with a ping between', async (t) => {
        const raw = await opened(t);
        const [a, b, c] = [HEARTBEAT.slice(0, 5), HEARTBEAT.slice(5, 20),
                           HEARTBEAT.slice(20)];

        raw.send(frame(TEXT, a, { fin: false }), frame(PING, 'between'),
                 frame(0, b, { fin: false }), frame(0, '', { fin: false }),
                 frame(0, c));

        const pong = await raw.next('a pong');

        assert.equal(pong.opcode, PONG);
        assert.equal(pong.payload.toString(), 'between');
        assert.equal(await raw.nextText(), ANSWER);
    });

    test('a message byte by byte', async (t) => {
        const raw = await opened(t);

        for (const byte of frame(TEXT, HEARTBEAT)) {
            raw.send(Buffer.from([byte]));
            await new Promise((resolve) => setImmediate(resolve));
        }

        assert.equal(await raw.nextText(), ANSWER);
    });

    test('many messages in one segment are answered in order', async (t) => {
        const raw = await opened(t);
        const refs = Array.from({ length: 200 }, (_, i) => `${i}`);

        raw.send(...refs.map((ref) => frame(TEXT,
            `[null,"${ref}","phoenix","heartbeat",{}]`)));

        for (const ref of refs) {
            assert.equal(await raw.nextText(),
                         ANSWER.replace('"1"', `"${ref}"`));
        }
    });

    /* around each border between the three forms of a length */
    for (const size of [0, 1, 125, 126, 127, 65535, 65536, 100000]) {
        test(`a body of ${size} bytes makes the way and back`, async (t) => {
            const raw = await opened(t);
            const head = `["1","2","sizes","e",{"body":"`;
            const body = 'x'.repeat(size);

            raw.send(frame(TEXT, '["1","1","sizes","phx_join",{}]'),
                     frame(TEXT, `${head}${body}"}]`));

            const f = await raw.frames.find((x) => {
                return x.opcode == TEXT && x.payload.includes('"e"');
            }, 'the broadcast');

            assert.equal(f.payload.toString(),
                         `[null,null,"sizes","e",{"body":"${body}"}]`);
            assert.equal(f.masked, 0);
            assert.equal(f.fin, 1);
            assert.equal(f.rsv, 0);
        });
    }

    test('frames whose size stands at a border of the forms', async (t) => {
        const raw = await opened(t);

        for (const size of [125, 126, 65535, 65536]) {
            const head = '[null,"1","phoenix","heartbeat",{"x":"';

            raw.send(frame(TEXT, head + 'x'.repeat(size - head.length - 3)
                                 + '"}]'));
            assert.equal(await raw.nextText(`the answer to ${size} bytes`),
                         ANSWER);
        }
    });

    test('a ping is answered with its bytes, a pong with nothing',
         async (t) => {
        const raw = await opened(t);
        const bytes = Buffer.from(Array.from({ length: 125 }, (_, i) => i));

        raw.send(frame(PONG, 'unasked'), frame(PING, ''), frame(PING, bytes));

        const first = await raw.next('a pong');
        const second = await raw.next('a pong');

        assert.deepEqual([first.opcode, first.payload.length], [PONG, 0]);
        assert.deepEqual([second.opcode, second.payload], [PONG, bytes]);
        await lives(raw);
    });

    for (const [what, code, ...frames] of [
        ['an unmasked frame', 1002, frame(TEXT, HEARTBEAT, { mask: false })],
        ['a reserved bit', 1002, frame(TEXT, HEARTBEAT, { rsv: 4 })],
        ['opcode 3', 1002, frame(3, 'x')],
        ['opcode 11', 1002, frame(11, 'x')],
        ['a continuation of nothing', 1002, frame(0, 'x')],
        ['a new message within another', 1002,
         frame(TEXT, 'x', { fin: false }), frame(TEXT, 'x')],
        ['a ping in fragments', 1002, frame(PING, 'x', { fin: false })],
        ['a ping of 126 bytes', 1002, frame(PING, 'x'.repeat(126))],
        ['a length of 5 in the 16-bit form', 1002,
         frame(TEXT, 'abcde', { length: '16' })],
        ['a length of 200 in the 64-bit form', 1002,
         frame(TEXT, 'x'.repeat(200), { length: '64' })],
        ['a length with the top bit set', 1002,
         Buffer.from('81ffffffffffffffffff00000000', 'hex')],
        ['a close of one byte', 1002, frame(CLOSE, 'x')],
        ['the close code 999', 1002, closeFrame(999)],
        ['the close code 1005', 1002, closeFrame(1005)],
        ['bad UTF-8', 1007, frame(TEXT, Buffer.from('22ff22', 'hex'))],
        ['an overlong form of UTF-8', 1007,
         frame(TEXT, Buffer.from('22c0af22', 'hex'))],
        ['a surrogate in UTF-8', 1007,
         frame(TEXT, Buffer.from('22eda08022', 'hex'))],
        ['UTF-8 that ends in a character', 1007,
         frame(TEXT, Buffer.from('22e282', 'hex'))],
        ['bad UTF-8 in a later fragment', 1007,
         frame(TEXT, Buffer.from('22e2', 'hex'), { fin: false }),
         frame(0, Buffer.from('2822', 'hex'))],
        ['bad UTF-8 in the reason of a close', 1007,
         frame(CLOSE, Buffer.from('03e8ff', 'hex'))],
    ]) {
        test(`${what}: closed with ${code}`, async (t) => {
            const raw = await opened(t);

            raw.send(...frames);
            assert.equal(await raw.closeCode(), code);
            await within(raw.ended, 'the end of the connection');
        });
    }

    test('a character cut by fragments is whole', async (t) => {
        const raw = await opened(t);
        const text = Buffer.from('["1","1","€","phx_join",{}]');
        const at = text.indexOf('€') + 1;

        raw.send(frame(TEXT, text.subarray(0, at), { fin: false }),
                 frame(0, text.subarray(at)));
        assert.equal(await raw.nextText(), '["1","1","€","phx_reply",'
                     + '{"response":{},"status":"ok"}]');
    });

    test('a message above the limit: closed with 1009', async (t) => {
        const raw = await opened(t);

        raw.send(frame(TEXT, 'x'.repeat(128 * 1024 + 1)));
        assert.equal(await raw.closeCode(), 1009);
    });

    test('fragments above the limit in sum: closed with 1009', async (t) => {
        const raw = await opened(t);

        raw.send(frame(TEXT, 'x'.repeat(65536), { fin: false }),
                 frame(0, 'x'.repeat(65536), { fin: false }),
                 frame(0, 'x'));
        assert.equal(await raw.closeCode(), 1009);
    });

    test('a size announced above the limit is refused at once', async (t) => {
        const raw = await opened(t);

        raw.send(Buffer.from('81ff7fffffffffffffff00000000', 'hex'));
        assert.equal(await raw.closeCode(), 1009);
    });
});


describe('close', () => {
    for (const code of [1000, 1001, 3000, 4000, 4999]) {
        test(`${code} is echoed`, async (t) => {
            const raw = await opened(t);

            raw.send(closeFrame(code, 'so long'));
            assert.equal(await raw.closeCode(), code);
            await within(raw.ended, 'the end of the connection');
        });
    }

    test('without a code is answered by a close', async (t) => {
        const raw = await opened(t);

        raw.send(frame(CLOSE, ''));

        const f = await raw.next('a close');

        assert.equal(f.opcode, CLOSE);
        assert.equal(f.payload.length, 0);
        await within(raw.ended, 'the end of the connection');
    });

    test('nothing behind a close is read', async (t) => {
        const raw = await opened(t);

        raw.send(closeFrame(1000), frame(TEXT, HEARTBEAT));

        const f = await raw.next('a close');

        assert.equal(f.opcode, CLOSE);
        assert.equal((await raw.next('the end')).end, true);
    });

    test('a connection cut within a frame harms no other', async (t) => {
        const other = await opened(t);
        const raw = await opened(t);

        raw.send(frame(TEXT, HEARTBEAT).subarray(0, 10));
        raw.tcp.destroy();
        await within(raw.ended, 'the end of the connection');
        await lives(other);
    });

    test('a binary frame that is no message: closed with 1011', async (t) => {
        const raw = await opened(t);

        raw.send(frame(BINARY, Buffer.from('07', 'hex')));
        assert.equal(await raw.closeCode(), 1011);
    });
});
