/*
 * Phoenix Channels, message by message and byte by byte, within one worker.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { within } from './lib/await.mjs';
import { Client } from './lib/client.mjs';
import { startStack } from './lib/stack.mjs';


const OK = '{"response":{},"status":"ok"}';
const UNMATCHED = '{"response":{"reason":"unmatched topic"},"status":"error"}';

let stack;

before(async () => {
    stack = await startStack({ postgres: false, workers: 1 });
});

after(() => stack?.stop());


async function client(t, options) {
    const c = await Client.connect(stack.base, options);

    t.after(() => c.ws.terminate());
    return c;
}


/* Sends one text and gives the next. */
async function exchange(c, text) {
    c.send(text);
    return c.text(`what comes after ${text}`);
}


describe('heartbeat', () => {
    for (const [sent, ref] of [
        ['[null,"1","phoenix","heartbeat",{}]', '"1"'],
        ['["9","hb","phoenix","heartbeat",{"x":1}]', '"hb"'],
        [' [ null , "1" , "phoenix" , "heartbeat" , { } ] ', '"1"'],
        ['[null,7,"phoenix","heartbeat",{}]', '7'],
        ['[null,"\\u0031","phoenix","heartbeat",{}]', '"1"'],
        ['[null,null,"phoenix","heartbeat",{}]', 'null'],
        ['["1",null,"phoenix","heartbeat",{}]', 'null'],
        ['[null,"1","ph\\u006fenix","heartb\\u0065at",{}]', '"1"'],
    ]) {
        test(sent, async (t) => {
            assert.equal(await exchange(await client(t), sent),
                         `[null,${ref},"phoenix","phx_reply",${OK}]`);
        });
    }

    test('another event on "phoenix" is refused', async (t) => {
        assert.equal(
            await exchange(await client(t), '[null,"2","phoenix","foo",{}]'),
            `[null,"2","phoenix","phx_reply",${UNMATCHED}]`);
    });

    test('a join of "phoenix" is refused', async (t) => {
        assert.equal(
            await exchange(await client(t), '["2","2","phoenix","phx_join",{}]'),
            '["2","2","phoenix","phx_reply",{"response":{"reason":"the topic '
            + 'phoenix is the protocol\'s own"},"status":"error"}]');
    });
});


describe('join and leave', () => {
    test('a join is answered with its own refs', async (t) => {
        assert.equal(
            await exchange(await client(t),
                           '["5","6","room:1","phx_join",{"userid":"u"}]'),
            `["5","6","room:1","phx_reply",${OK}]`);
    });

    test('refs are echoed as they were written', async (t) => {
        const c = await client(t);

        assert.equal(await exchange(c, '[29,30,"room:n","phx_join",{}]'),
                     `[29,30,"room:n","phx_reply",${OK}]`);

        /* 29 and "29" are not the same ref */
        c.send('["29","31","room:n","e",{"body":1}]');
        c.send('[29,32,"room:n","phx_leave",{}]');
        assert.equal(await c.text(), `[29,32,"room:n","phx_reply",${OK}]`);
        assert.equal(await c.text(), '[29,29,"room:n","phx_close",{}]');
    });

    test('without a ref they are answered all the same', async (t) => {
        const c = await client(t);

        assert.equal(await exchange(c, '["5",null,"room:8","phx_join",{}]'),
                     `["5",null,"room:8","phx_reply",${OK}]`);
        assert.equal(await exchange(c, '["5",null,"room:8","phx_leave",{}]'),
                     `["5",null,"room:8","phx_reply",${OK}]`);
        assert.equal(await c.text(), '["5","5","room:8","phx_close",{}]');
        assert.equal(await exchange(c, '[null,null,"room:8","phx_leave",{}]'),
                     `[null,null,"room:8","phx_reply",${OK}]`);
        assert.match(await exchange(c, '["6",null,"room:8","phx_join",1]'),
                     /^\["6",null,"room:8",.*"status":"error"/);
    });

    test('a join_ref is the same however it is escaped', async (t) => {
        const c = await client(t);

        assert.equal(
            await exchange(c, '["\\u0061\\/\\"","1","room:9","phx_join",{}]'),
            `["a/\\"","1","room:9","phx_reply",${OK}]`);
        c.send('["a/\\u0022","2","room:9","e",{"body":1}]');
        assert.equal(await c.text(), '[null,null,"room:9","e",{"body":1}]');
        assert.equal(await c.text(),
                     `["a/\\"","2","room:9","phx_reply",${OK}]`);
    });

    test('a join without a join_ref has its ref as the channel\'s',
         async (t) => {
        const c = await client(t);

        assert.equal(await exchange(c, '[null,"5","room:10","phx_join",{}]'),
                     `[null,"5","room:10","phx_reply",${OK}]`);
        c.send('["4","6","room:10","e",{"body":"stale"}]');
        assert.deepEqual(await c.pending(), []);
        c.send('["5",null,"room:10","e",{"body":1}]');
        assert.equal(await c.text(), '[null,null,"room:10","e",{"body":1}]');
        assert.equal(await exchange(c, '[null,"7","room:10","phx_leave",{}]'),
                     `["5","7","room:10","phx_reply",${OK}]`);
        assert.equal(await c.text(), '["5","5","room:10","phx_close",{}]');
    });

    test('a join with neither: any join_ref is for its channel', async (t) => {
        const c = await client(t);

        await exchange(c, '[null,null,"room:11","phx_join",{}]');
        c.send('["5",null,"room:11","e",{"body":1}]');
        assert.equal(await c.text(), '[null,null,"room:11","e",{"body":1}]');
    });

    test('a second join closes the first channel', async (t) => {
        const c = await client(t);

        await exchange(c, '["5","5","room:2","phx_join",{}]');
        c.send('["12","12","room:2","phx_join",{}]');

        const both = [await c.text(), await c.text()];

        assert.ok(both.includes(`["12","12","room:2","phx_reply",${OK}]`),
                  both);
        assert.ok(both.includes('["5","5","room:2","phx_close",{}]'), both);

        /* one channel is there, and one copy comes */
        c.send('["12",null,"room:2","e",{"body":1}]');
        assert.equal(await c.text(), '[null,null,"room:2","e",{"body":1}]');
        assert.deepEqual(await c.pending(), []);
    });

    test('a leave is answered, then the channel closes', async (t) => {
        const c = await client(t);

        await exchange(c, '["5","5","room:3","phx_join",{}]');
        c.send('["5","6","room:3","phx_leave",{}]');
        assert.equal(await c.text(), `["5","6","room:3","phx_reply",${OK}]`);
        assert.equal(await c.text(), '["5","5","room:3","phx_close",{}]');
        assert.equal(await exchange(c, '["5","7","room:3","e",{"body":1}]'),
                     `[null,"7","room:3","phx_reply",${UNMATCHED}]`);
    });

    test('a leave of what was never joined is answered', async (t) => {
        assert.equal(
            await exchange(await client(t),
                           '["4","4","room:4","phx_leave",{}]'),
            `[null,"4","room:4","phx_reply",${OK}]`);
    });

    test('a stale join_ref is dropped, with its leave', async (t) => {
        const c = await client(t);

        await exchange(c, '["1","1","room:5","phx_join",{}]');
        c.send('["2","2","room:5","phx_join",{}]');
        await c.text();
        await c.text();

        c.send('["1","3","room:5","e",{"body":"stale"}]');
        c.send('["1","4","room:5","phx_leave",{}]');
        assert.deepEqual(await c.pending(), []);

        c.send('["2",null,"room:5","e",{"body":"live"}]');
        assert.equal(await c.text(),
                     '[null,null,"room:5","e",{"body":"live"}]');
    });

    test('no join_ref means the channel that is open', async (t) => {
        const c = await client(t);

        await exchange(c, '["1","1","room:7","phx_join",{}]');
        c.send('["2","2","room:7","phx_join",{}]');
        await c.text();
        await c.text();

        c.send('[null,"3","room:7","e",{"body":1}]');
        assert.equal(await c.text(),
                     '[null,null,"room:7","e",{"body":1}]');
        assert.equal(await c.text(), `["2","3","room:7","phx_reply",${OK}]`);

        c.send('[null,"4","room:7","phx_leave",{}]');
        assert.equal(await c.text(), `["2","4","room:7","phx_reply",${OK}]`);
        assert.equal(await c.text(), '["2","2","room:7","phx_close",{}]');
    });

    test('who has left or gone gets nothing more', async (t) => {
        const [a, b, c] = [await client(t), await client(t), await client(t)];

        for (const x of [a, b, c]) {
            await x.join('room:6');
        }

        await b.call('room:6', 'phx_leave');
        await b.event('room:6', 'phx_close');
        await c.close();
        a.push('room:6', 'e', { body: 1 });
        await a.event('room:6', 'e');
        assert.deepEqual(await b.pending(), []);
    });
});


describe('push', () => {
    test('reaches every member, and the sender is answered', async (t) => {
        const [a, b] = [await client(t), await client(t)];

        await a.join('talk');
        await b.join('talk');
        assert.deepEqual(await a.call('talk', 'hello', { body: 'x' }),
                         { status: 'ok', response: {} });
        assert.deepEqual(await a.event('talk', 'hello'), { body: 'x' });
        assert.deepEqual(await b.event('talk', 'hello'), { body: 'x' });
        assert.deepEqual(await a.pending(), []);
        assert.deepEqual(await b.pending(), []);
    });

    test('without a ref asks for no answer', async (t) => {
        const c = await client(t);

        await exchange(c, '["1","1","quiet","phx_join",{}]');
        assert.equal(await exchange(c, '["1",null,"quiet","e",{"body":1}]'),
                     '[null,null,"quiet","e",{"body":1}]');
        assert.deepEqual(await c.pending(), []);
    });

    /* the body is never parsed into values and printed again */
    for (const body of [
        '12345678901234567890123', '1e400', '-0', '0.1000', '1.0E+2',
        '{"b":1,"a":2,"b":3}', '[ 1 , 2 ]', '"\\u00e9\\/\\ud83d\\ude00"',
        '"é😀"', '{ "x" : [ null , true ] }', 'null', '""', '{}', '[]',
        '"\\"\\\\\\b\\f\\n\\r\\t\\u0000"',
    ]) {
        test(`the body ${body} passes byte for byte`, async (t) => {
            const c = await client(t);

            await exchange(c, '["1","1","bytes","phx_join",{}]');
            assert.equal(
                await exchange(c, `["1",null,"bytes","e",{"body":${body}}]`),
                `[null,null,"bytes","e",{"body":${body}}]`);
        });
    }

    test('bytes pass as a binary message, to V2 alone', async (t) => {
        const [a, b] = [await client(t), await client(t)];
        const old = await client(t, { query: 'vsn=1.0.0' });
        const bytes = Buffer.from([0, 255, 34, 92]);

        await exchange(a, '["1","1","bin","phx_join",{}]');
        await b.join('bin');
        await exchange(old, '{"topic":"bin","event":"phx_join","payload":{},'
                            + '"ref":"1","join_ref":"1"}');

        a.send(Buffer.concat([Buffer.from([0, 1, 1, 3, 1]),
                              Buffer.from('12bine'), bytes]));

        for (const c of [a, b]) {
            const frame = await c.inbox.find((x) => Buffer.isBuffer(x));

            assert.deepEqual(frame, Buffer.concat([
                Buffer.from([2, 3, 1]), Buffer.from('bine'), bytes]));
        }

        assert.equal(await a.text(), `["1","2","bin","phx_reply",${OK}]`);
        b.push('bin', 'e', { body: 1 });
        assert.match(await old.text(), /"body":1/);
    });

    test('topic and event are any strings of up to 255 bytes', async (t) => {
        const c = await client(t);
        const names = ['', '*', 'a"b\\c', 'é😀', 'x'.repeat(200), ' '];

        for (const name of names) {
            await c.join(name);
            c.push(name, `e${name}`, { body: 1 });
            assert.deepEqual(await c.event(name, `e${name}`), { body: 1 });
        }

        await assert.rejects(c.join('x'.repeat(256)), /255/);
        await c.join('x'.repeat(255));
    });

    test('without a body is refused, and the channel lives', async (t) => {
        const c = await client(t);

        await c.join('strict');

        for (const payload of [{}, { text: 'x' }, [], 'x', 1, null]) {
            const reply = await c.call('strict', 'e', payload);

            assert.equal(reply.status, 'error');
            assert.match(reply.response.reason, /body/);
        }

        c.push('strict', 'e', { body: 1 });
        assert.deepEqual(await c.event('strict', 'e'), { body: 1 });
    });

    for (const event of ['phx_reply', 'phx_error', 'phx_close', 'phx_x']) {
        test(`the event ${event} is refused`, async (t) => {
            const [a, b] = [await client(t), await client(t)];

            await a.join('forged');
            await b.join('forged');

            const reply = await a.call('forged', event, { body: {} });

            assert.equal(reply.status, 'error');
            assert.match(reply.response.reason, /phx_/);
            assert.deepEqual(await b.pending(), []);
            await a.call('forged', 'e', { body: 1 });
        });
    }

    test('to a topic that was not joined is refused', async (t) => {
        assert.equal(
            await exchange(await client(t),
                           '["1","3","absent","e",{"body":1}]'),
            `[null,"3","absent","phx_reply",${UNMATCHED}]`);
    });

    test('to a route topic is refused', async (t) => {
        const c = await client(t);

        c.send('["1","3","rt:abc","rows",{"body":1}]');

        const [, ref, topic, event, payload] = JSON.parse(await c.text());

        assert.deepEqual([ref, topic, event], ['3', 'rt:abc', 'phx_reply']);
        assert.equal(payload.status, 'error');
        assert.equal(typeof payload.response.reason, 'string');
    });
});


describe('a message of another protocol closes its socket alone', () => {
    for (const text of ['nonsense', '', ' ', '{}', '42', '"x"', 'null']) {
        test(JSON.stringify(text), async (t) => {
            const [a, b] = [await client(t), await client(t)];

            await b.join('bystander');
            a.send(text);

            const { code } = await within(a.closed, 'the close');

            assert.equal(code, 1011);
            b.push('bystander', 'e', { body: 1 });
            assert.deepEqual(await b.event('bystander', 'e'), { body: 1 });
        });
    }
});


describe('a malformed message is answered, and its socket stays', () => {
    const deep = '['.repeat(513) + ']'.repeat(513);

    for (const [text, refs, reason] of [
        ['["1","2","a","e"]', '"1","2","a"', /less than five elements/],
        ['["1","2","a","e",{}', '"1","2","a"', /ends too early/],
        ['["1","2","a","e",{"x":01}]', '"1","2","a"', /comma/],
        ['["1","2","a","e",{"body":"\\ud800"}]', '"1","2","a"',
         /half a surrogate pair/],
        ['["1","2","a","e",{"x":"\t"}]', '"1","2","a"', /control character/],
        ['["1","2","a","e",{"x":"\0"}]', '"1","2","a"', /control character/],
        ['["1","2","a","e",{}] x', '"1","2","a"', /something else/],
        ['["1","2","a",5,{}]', '"1","2","a"', /an event that is no string/],
        [`["1","2","a","e",{"body":${deep}}]`, '"1","2","a"', /too deeply/],
        [`["1","2","a","e",${'['.repeat(9000)}]`, '"1","2","a"', /too deeply/],
        ['[[],"2","a","e",{}]', 'null,"2","a"', /a ref that is no string/],
        [`["1","${'x'.repeat(256)}","a","e",{}]`,
         `"1","${'x'.repeat(256)}","a"`, /a too long ref/],
        ['["3","2","b","phx_join",{"x":"\\ud800"}]', '"3","2","b"',
         /half a surrogate pair/],
        /* of a topic that cannot be read: on that of the connection */
        ['["1","2",5,"e",{}]', 'null,"2","phoenix"', /topic that is no/],
        ['["1","2","\\ud800","e",{}]', 'null,"2","phoenix"', /half a/],
    ]) {
        test(JSON.stringify(text.slice(0, 60)), async (t) => {
            const c = await client(t);
            const { unanswered } = await stack.nginx.status();

            await exchange(c, '["1","1","a","phx_join",{}]');

            const reply = await exchange(c, text);

            assert.equal(reply.slice(0, refs.length + 15),
                         `[${refs},"phx_reply",{`);
            assert.equal(JSON.parse(reply)[4].status, 'error');
            assert.match(JSON.parse(reply)[4].response.reason, reason);

            /* the channel is there */
            c.send('["1",null,"a","e",{"body":1}]');
            assert.equal(await c.text(), '[null,null,"a","e",{"body":1}]');
            assert.equal((await stack.nginx.status()).unanswered, unanswered);
        });
    }

    for (const text of [
        '[]', '[', '["1"]', '["1",null,"a","e",{"body":"\\ud800"}]',
        '["1",{},"a","e",{}]', '["1","2', '[,,,,]',
        /* not malformed, and refused */
        '["1",null,"a","e",{}]',
    ]) {
        test(`${text}: counted, if it has no ref`, async (t) => {
            const c = await client(t);
            const { unanswered } = await stack.nginx.status();

            await exchange(c, '["1","1","a","phx_join",{}]');
            c.send(text);
            assert.deepEqual(await c.pending(), []);
            assert.equal((await stack.nginx.status()).unanswered,
                         unanswered + 1);
            c.send('["1",null,"a","e",{"body":1}]');
            assert.equal(await c.text(), '[null,null,"a","e",{"body":1}]');
        });
    }

    test('with a line in the log', async (t) => {
        const c = await client(t);

        c.send('[null,null,"logged","e\n",{}]');
        c.send('[null,null,"logged","e",{"x":"\\ud800"}]');
        await c.pending();
        assert.match(stack.nginx.errorLog(), new RegExp(
            '\\[info\\].* kairos refused "e" on topic "logged": JSON string '
            + 'has half a surrogate pair'));
        assert.match(stack.nginx.errorLog(), new RegExp(
            '\\[info\\].* kairos refused "" on topic "logged": JSON string '
            + 'has a control character'));
    });

    test('JSON of 512 levels is served', async (t) => {
        const c = await client(t);
        const body = '['.repeat(511) + ']'.repeat(511);

        await exchange(c, '["1","1","deep","phx_join",{}]');
        c.send(`["1",null,"deep","e",{"body":${body}}]`);
        assert.equal(await c.text(), `[null,null,"deep","e",{"body":${body}}]`);
    });
});


describe('V1', () => {
    test('speaks objects, and V1 and V2 hear each other', async (t) => {
        const a = await client(t, { query: 'vsn=1.0.0' });
        const b = await client(t);

        a.send('{"topic":"mixed","event":"phx_join","payload":{},"ref":"1",'
               + '"join_ref":"1"}');
        assert.equal(await a.text(), `{"event":"phx_reply","payload":${OK},`
                                     + '"ref":"1","topic":"mixed"}');
        await b.join('mixed');
        b.push('mixed', 'e', { body: 1 });
        assert.equal(await a.text(), '{"event":"e","payload":{"body":1},'
                                     + '"ref":null,"topic":"mixed"}');
        await b.event('mixed', 'e');

        a.send('{"topic":"mixed","event":"f","payload":{"body":2},'
               + '"ref":null,"join_ref":"1"}');
        assert.deepEqual(await b.event('mixed', 'f'), { body: 2 });
    });
});


describe('HTTP', () => {
    test('POST /realtime/auth says ok', async () => {
        const res = await fetch(`${stack.httpBase}/realtime/auth`,
                                { method: 'POST' });

        assert.equal(res.status, 200);
        assert.deepEqual(await res.json(), { ok: true });
    });
});
