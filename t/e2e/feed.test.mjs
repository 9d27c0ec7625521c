/*
 * The feed's faults: what a worker and its clients see when the replicator is
 * absent, dies, or sends what it should not.  The peer is a double.
 */

import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test }
    from 'node:test';

import { LIMIT, until } from './lib/await.mjs';
import { Client, subscription } from './lib/client.mjs';
import { encode, FeedPeer } from './lib/feed-peer.mjs';
import { startStack } from './lib/stack.mjs';


const ROUTE = 'rt:0123abcd';
const SPEC = '{"opaque":"to the worker"}';

const at = (lsn, n = 0) => ({ epoch: 7n, lsn: BigInt(lsn), n });


describe('a location without kairos_replicator', () => {
    let stack;

    before(async () => {
        stack = await startStack({ postgres: false, workers: 1 });
    });

    after(() => stack?.stop());

    test('refuses queries and says why', async (t) => {
        const c = await Client.connect(stack.base);

        t.after(() => c.close());
        await c.join('room');

        const refusal = { status: 'error', response: {
            reason: 'this server serves no queries: kairos_replicator is not '
                    + 'set for this location' } };

        assert.deepEqual(await c.call('room', 'subscribe',
                                      subscription('t', 'a', 1)), refusal);
        assert.deepEqual(await c.call(ROUTE, 'phx_join', {}, 'j'), refusal);
    });
});


describe('kairos_max_pending', () => {
    test('is as many subscribes and joins as it says', async (t) => {
        const { stack, peer } = await asking(t, 'kairos_max_pending 2;');

        await peer.next();

        const c = await Client.connect(stack.base);

        t.after(() => c.ws.terminate());
        await c.join('room');
        c.push('room', 'subscribe', {});
        c.send(['9', '9', ROUTE, 'phx_join', {}]);

        for (const topic of ['rt:a', 'rt:b']) {
            assert.match((await c.call(topic, 'phx_join', {}, 'j'))
                         .response.reason, /too many requests/);
        }

        assert.equal((await stack.nginx.status()).refused_pending, 2);
    });

    test('does not lift the bound of a worker', async (t) => {
        const { stack, peer } = await asking(t, 'kairos_max_pending 100000;');
        const feed = await peer.next();
        const c = await Client.connect(stack.base);
        const n = 65536;

        t.after(() => c.ws.terminate());
        await c.join('room');

        for (let i = 0; i < n; i++) {
            c.push('room', 'subscribe', {});
        }

        for (let i = 0; i < n; i++) {
            await feed.frame('SUBSCRIBE');
        }

        assert.equal((await c.call('room', 'subscribe', {})).response.reason,
                     'the query engine has too much to do, try again');
        assert.equal((await stack.nginx.status()).refused_pending, 1);
    });
});


/* nginx with one worker and a replicator's double. */
async function asking(t, directives) {
    const dir = mkdtempSync(join(tmpdir(), 'kairos-feed-'));
    const path = join(dir, 'replicator.sock');

    t.after(() => rmSync(dir, { recursive: true, force: true }));
    chmodSync(dir, 0o755);

    const peer = await FeedPeer.listen(path);

    t.after(() => peer.close());

    const stack = await startStack({
        postgres: false, workers: 1,
        directives: `kairos_replicator unix:${path}; ${directives}` });

    t.after(() => stack.stop());
    return { stack, peer };
}


describe('a worker', () => {
    let dir, path, stack, peer, feed;
    let clients;

    before(async () => {
        dir = mkdtempSync(join(tmpdir(), 'kairos-feed-'));
        path = join(dir, 'replicator.sock');
        chmodSync(dir, 0o755);
    });

    after(() => rmSync(dir, { recursive: true, force: true }));

    beforeEach(async () => {
        clients = [];
        peer = await FeedPeer.listen(path);
        stack = await startStack({
            postgres: false, workers: 1,
            directives: `kairos_replicator unix:${path};
                         kairos_drain 100ms;` });
        feed = await peer.next();
    });

    afterEach(async () => {
        for (const c of clients) {
            c.ws.terminate();
        }

        await stack?.stop();
        await peer?.close();
        stack = null;
        peer = null;
    });

    async function client(name) {
        const c = await Client.connect(stack.base, { name });

        clients.push(c);
        await c.join('room');
        return c;
    }

    /* A client that is a member of the route, and its JOIN. */
    async function member(name, position = at(100)) {
        const c = await client(name);
        const joined = c.join(ROUTE);
        const ask = await feed.frame('JOIN');

        feed.send('JOINED', { req: ask.req, topic: ROUTE, spec: SPEC,
                              position });
        assert.deepEqual(await joined, {});
        return { c, ask };
    }

    /* What comes is lost by any fault; a worker is told at the next event. */
    async function lives(c) {
        assert.deepEqual(await c.pending(), []);
    }

    function errors() {
        return stack.nginx.errorLog().split('\n')
               .filter((line) => /\[error\]/.test(line));
    }

    test('says HELLO with what the replicator must know', async () => {
        assert.equal(feed.hello.version, 1);
        assert.equal(feed.hello.workers, 1);
        assert.equal(feed.hello.zone, 'live');
        assert.notEqual(feed.hello.instance, 0n);
        assert.deepEqual(feed.resumed, []);
        assert.deepEqual(stack.nginx.workers(), [feed.hello.pid]);
        await until(async () => (await stack.nginx.status()).feeds == 1,
                    'the feed is counted');
        await until(() => /\[notice\].*connected to kairos-replicator at unix:/
                          .test(stack.nginx.errorLog()),
                    'the log names the replicator');
    });

    test('opens no more channels than a socket may have', async () => {
        const c = await client();

        for (let i = 1; i < 99; i++) {
            await c.join(`room:${i}`);
        }

        /* there is room for one when both are asked for */
        const joins = ['rt:a', 'rt:b'].map((topic) => c.join(topic));

        joins[1].catch(() => {});

        for (const topic of ['rt:a', 'rt:b']) {
            const { req } = await feed.frame('JOIN');

            feed.send('JOINED', { req, topic, spec: SPEC, position: at(1) });
        }

        assert.deepEqual(await joins[0], {});
        await assert.rejects(joins[1], /too many channels/);
        assert.equal((await feed.frame('LEAVE')).topic, 'rt:b');
    });

    test('passes a subscribe and its reply byte for byte', async () => {
        const c = await client();
        const payload = '{"b":1.50,"a":12345678901234567890,"b":"\\u00e9"}';
        const reply = '{"rows":[{"n":0.10,"n":1e400}],"x":"\\u0041"}';

        c.send(`["${c.joins.room}",17,"room","subscribe",${payload}]`);

        const ask = await feed.frame('SUBSCRIBE');

        assert.equal(ask.spec, payload);
        assert.equal(ask.claims, '');

        feed.send('REPLY', { req: ask.req, status: 0, payload: reply });

        const text = await c.text();

        assert.ok(text.includes(reply), text);
        assert.deepEqual(JSON.parse(text).slice(0, 4),
                         [c.joins.room, 17, 'room', 'phx_reply']);
        assert.equal(JSON.parse(text)[4].status, 'ok');
    });

    test('refuses a subscribe that is no object itself', async () => {
        const c = await client();
        const reply = await c.call('room', 'subscribe', [1]);

        assert.deepEqual(reply, { status: 'error', response: {
            reason: 'the payload of subscribe is no object' } });
    });

    test('passes an error as an error', async () => {
        const c = await client();
        const called = c.call('room', 'subscribe', {});
        const ask = await feed.frame('SUBSCRIBE');

        feed.send('REPLY', { req: ask.req, status: 1,
                             payload: '{"reason":"no such table"}' });
        assert.deepEqual(await called, {
            status: 'error', response: { reason: 'no such table' } });
    });

    test('is not confused by a reply to nobody', async () => {
        const c = await client();

        feed.send('REPLY', { req: 4711n, status: 0, payload: '{}' });

        const called = c.call('room', 'subscribe', {});
        const ask = await feed.frame('SUBSCRIBE');

        feed.send('REPLY', { req: ask.req, status: 0, payload: '{"a":1}' });
        assert.deepEqual((await called).response, { a: 1 });
    });

    test('answers all that wait when the replicator dies', async () => {
        const c = await client();
        const asked = [c.call('room', 'subscribe', {}),
                       c.call('room', 'subscribe', {}),
                       c.call(ROUTE, 'phx_join', {}, 'j')];

        await feed.frame('JOIN');
        await peer.close();
        peer = null;

        for (const reply of await Promise.all(asked)) {
            assert.deepEqual(reply, { status: 'error', response: {
                reason: 'the query engine was lost, try again' } });
        }

        const { feeds, lost_feeds: lost } = await stack.nginx.status();

        assert.deepEqual([feeds, lost], [0, 1]);

        const later = await c.call('room', 'subscribe', {});

        assert.equal(later.response.reason,
                     'the query engine is not connected, try again');
        await lives(c);
    });

    test('tells the log once that the replicator is away', async () => {
        await peer.close();
        peer = null;

        await until(() => (stack.nginx.errorLog()
                           .match(/could not connect/g) ?? []).length >= 3,
                    'the worker has tried three times');
        assert.equal(errors().length, 1, errors().join('\n'));
        assert.match(errors()[0],
                     /kairos-replicator at unix:.*: the peer closed;/);
    });

    test('comes back slower and slower', async () => {
        const starts = [];

        peer.welcome = null;
        feed.destroy();

        for (let i = 0; i < 5; i++) {
            const attempt = await peer.accept();

            starts.push(attempt.at);
            attempt.destroy();
        }

        for (let i = 1; i < starts.length; i++) {
            const least = 100 * 2 ** i;

            assert.ok(starts[i] - starts[i - 1] >= 0.9 * least,
                      `attempt ${i} came ${starts[i] - starts[i - 1]} ms `
                      + `after the one before, not ${least}`);
        }
    });

    test('resumes its routes from the last position', async () => {
        const one = await member('one');

        await member('two');
        feed.send('EVENT', { topic: ROUTE, event: 'rows', payload: '{"n":1}',
                             position: at(200, 3) });
        assert.deepEqual(await one.c.event(ROUTE, 'rows'), { n: 1 });

        feed.destroy();
        feed = await peer.next();

        assert.deepEqual(feed.resumed, [{
            type: 'RESUME', members: 2, topic: ROUTE, spec: SPEC,
            position: at(200, 3) }]);

        feed.send('EVENT', { topic: ROUTE, event: 'rows', payload: '{"n":2}',
                             position: at(201) });

        for (const c of clients) {
            await c.event(ROUTE, 'rows', 'an event over the new feed');
        }
    });

    test('resumes from where the last that joined was', async () => {
        await member('one', at(100));
        feed.send('EVENT', { topic: ROUTE, event: 'rows', payload: '{}',
                             position: at(200) });

        const late = await member('late', at(150));

        feed.send('EVENT_TO', { socket: late.ask.socket, topic: ROUTE,
                                event: 'rows', payload: '{}',
                                position: at(160) });
        await late.c.event(ROUTE, 'rows');

        feed.destroy();
        feed = await peer.next();
        assert.deepEqual(feed.resumed[0].position, at(160));
    });

    test('resumes nothing that nobody joins any more', async () => {
        const { c } = await member();

        feed.destroy();
        await feed.closed;
        c.ws.terminate();
        await c.closed;

        feed = await peer.next();

        /* the close may have come after the RESUME: then a LEAVE follows */

        if (feed.resumed.length) {
            const leave = await feed.frame('LEAVE');

            assert.equal(leave.topic, ROUTE);
            assert.equal(leave.lost, 1);
        }

        feed.destroy();
        feed = await peer.next();
        assert.deepEqual(feed.resumed, []);
    });

    test('says no more at once than the peer reads', async () => {
        const spec = JSON.stringify('x'.repeat(400000));
        const topics = [1, 2, 3, 4, 5, 6].map((n) => `rt:${n}`);
        const c = await client();

        for (const topic of topics) {
            const joined = c.join(topic);
            const ask = await feed.frame('JOIN');

            feed.send('JOINED', { req: ask.req, topic, spec,
                                  position: at(1) });
            await joined;
        }

        peer.server.once('connection', (socket) => socket.pause());
        feed.destroy();
        feed = await peer.accept();

        /* not told of yet, it ends without a word */

        await c.call('rt:6', 'phx_leave', {});

        feed.socket.resume();
        assert.equal((await feed.any()).type, 'HELLO');

        for (const topic of topics.slice(0, 5)) {
            const frame = await feed.any();

            assert.deepEqual([frame.type, frame.topic, frame.spec == spec],
                             ['RESUME', topic, true]);
        }

        assert.equal((await feed.any()).type, 'READY');

        await c.call('rt:1', 'phx_leave', {});
        assert.equal((await feed.any()).topic, 'rt:1');
    });

    test('delivers an event to one or to all', async () => {
        const one = await member('one');
        const two = await member('two');

        feed.send('EVENT_TO', { socket: one.ask.socket, topic: ROUTE,
                                event: 'rows', payload: '{"to":"one"}',
                                position: at(101) });
        feed.send('EVENT', { topic: ROUTE, event: 'rows',
                             payload: '{"to":"all"}', position: at(102) });

        assert.equal(await one.c.text(),
                     `[null,null,"${ROUTE}","rows",{"to":"one"}]`);
        assert.equal(await one.c.text(),
                     `[null,null,"${ROUTE}","rows",{"to":"all"}]`);
        assert.equal(await two.c.text(),
                     `[null,null,"${ROUTE}","rows",{"to":"all"}]`);
    });

    test('refuses a push to a joined route, and renews a token there',
         async () => {
        const { c } = await member('one');

        assert.deepEqual(await c.call(ROUTE, 'rows', { body: 1 }), {
            status: 'error', response: {
                reason: 'topics that begin with rt: are read-only' } });
        assert.deepEqual(await c.call(ROUTE, 'access_token', {}),
                         { status: 'ok', response: {} });
        await lives(c);
    });

    test('tells who left and how', async () => {
        const one = await member('one');
        const two = await member('two');

        await one.c.call(ROUTE, 'phx_leave', {});
        assert.deepEqual(await feed.frame('LEAVE'), {
            type: 'LEAVE', socket: one.ask.socket,
            client: one.ask.client, lost: 0, topic: ROUTE });

        two.c.ws.terminate();
        assert.deepEqual(await feed.any(), {
            type: 'LEAVE', socket: two.ask.socket,
            client: two.ask.client, lost: 1, topic: ROUTE });
        assert.deepEqual(await feed.any(), {
            type: 'GONE', socket: two.ask.socket });
    });

    test('says nothing of a socket that asked nothing', async () => {
        const plain = await client('plain');
        const asks = await client('asks');
        const called = asks.call('room', 'subscribe', {});
        const ask = await feed.frame('SUBSCRIBE');

        feed.send('REPLY', { req: ask.req, payload: '{}' });
        await called;

        await plain.close();
        await asks.close();
        assert.deepEqual(await feed.any(), {
            type: 'GONE', socket: ask.socket });
    });

    test('gives a join that was taken back no member', async () => {
        const c = await client();

        c.send(['9', '9', ROUTE, 'phx_join', {}]);

        const ask = await feed.frame('JOIN');

        assert.equal((await c.call(ROUTE, 'phx_leave', {}, '9')).status, 'ok');

        feed.send('JOINED', { req: ask.req, topic: ROUTE, spec: SPEC,
                              position: at(1) });
        assert.deepEqual(await feed.frame('LEAVE'), {
            type: 'LEAVE', socket: ask.socket,
            client: ask.client, lost: 1, topic: ROUTE });

        feed.destroy();
        feed = await peer.next();
        assert.deepEqual(feed.resumed, []);
    });

    test('gives a join whose socket is gone no member', async () => {
        const c = await client();

        c.send(['9', '9', ROUTE, 'phx_join', {}]);

        const ask = await feed.frame('JOIN');

        c.ws.terminate();
        await feed.frame('GONE');
        feed.send('JOINED', { req: ask.req, topic: ROUTE, spec: SPEC,
                              position: at(1) });
        assert.deepEqual(await feed.frame('LEAVE'), {
            type: 'LEAVE', socket: ask.socket,
            client: ask.client, lost: 1, topic: ROUTE });
    });

    test('answers the newer of two joins', async () => {
        const c = await client();

        c.send(['8', '8', ROUTE, 'phx_join', {}]);
        c.send(['9', '9', ROUTE, 'phx_join', {}]);
        await lives(c);

        const ask = await feed.frame('JOIN');

        feed.send('JOINED', { req: ask.req, topic: ROUTE, spec: SPEC,
                              position: at(1) });
        assert.deepEqual(JSON.parse(await c.text()).slice(0, 4),
                         ['9', '9', ROUTE, 'phx_reply']);
        await lives(c);
        assert.deepEqual(feed.frames.items, []);
    });

    test('keeps the route when a member joins anew', async () => {
        const { c } = await member();

        c.send(['new', 'new', ROUTE, 'phx_join', {}]);

        const leave = await feed.any();

        assert.equal(leave.type, 'LEAVE');
        assert.equal(leave.lost, 1, 'the route is still wanted');

        const ask = await feed.frame('JOIN');

        feed.send('JOINED', { req: ask.req, topic: ROUTE, spec: SPEC,
                              position: at(1) });
        assert.equal((await c.replyTo('new', 'the second join')).status, 'ok');
    });

    test('bounds what one socket asks', async () => {
        const c = await client();

        for (let i = 0; i < 64; i++) {
            c.push('room', 'subscribe', {});
        }

        const reply = await c.call('room', 'subscribe', {});

        assert.equal(reply.response.reason,
                     'too many requests of this connection are unanswered');
        assert.equal((await stack.nginx.status()).refused_pending, 1);

        /* nobody else is bounded by it */
        const other = await client('other');
        const passed = other.call('room', 'subscribe', { other: 1 });

        const ask = await feed.frame('SUBSCRIBE');

        feed.send('REPLY', { req: ask.req, payload: '{}' });
        await c.text('the reply to the first');

        const called = c.call('room', 'subscribe', {});

        for (let i = 0; i < 63; i++) {
            await feed.frame('SUBSCRIBE');
        }

        const others = await feed.frame('SUBSCRIBE');

        assert.equal(others.spec, '{"other":1}');
        feed.send('REPLY', { req: others.req, payload: '{}' });
        await passed;

        const last = await feed.frame('SUBSCRIBE');

        feed.send('REPLY', { req: last.req, payload: '{"last":1}' });
        assert.deepEqual((await called).response, { last: 1 });
    });

    test('tells each member of a route that was reset', async () => {
        const one = await member('one');
        const two = await member('two');

        feed.send('RESET', { topic: ROUTE, reason: 'the "slot" was lost' });

        for (const { c } of [one, two]) {
            const text = await c.text();
            const ref = c.joins[ROUTE];

            assert.deepEqual(JSON.parse(text), [
                ref, ref, ROUTE, 'phx_error',
                { reason: 'the "slot" was lost' }]);
        }

        assert.equal((await stack.nginx.status()).resets, 2);

        feed.send('EVENT', { topic: ROUTE, event: 'rows', payload: '{}',
                             position: at(300) });
        await member('three');
        await lives(one.c);

        one.c.ws.terminate();
        await feed.frame('GONE');

        feed.destroy();
        feed = await peer.next();
        assert.deepEqual(feed.resumed.map((f) => f.members), [1]);
    });

    test('reads frames that come in pieces', async () => {
        const { c } = await member();
        const long = 'x'.repeat(300000);
        const bytes = encode('EVENT', { topic: ROUTE, event: 'rows',
                                        payload: '{"a":1}',
                                        position: at(101) });

        for (const byte of bytes) {
            feed.raw(Buffer.from([byte]));
            await new Promise((resolve) => setImmediate(resolve));
        }

        assert.deepEqual(await c.event(ROUTE, 'rows'), { a: 1 });

        feed.raw(Buffer.concat(Array.from({ length: 20 }, (_, i) => {
            return encode('EVENT', { topic: ROUTE, event: 'rows',
                                     payload: JSON.stringify({ i, long }),
                                     position: at(102, i) });
        })));

        for (let i = 0; i < 20; i++) {
            const payload = await c.event(ROUTE, 'rows');

            assert.equal(payload.i, i);
            assert.equal(payload.long.length, long.length);
        }
    });

    const bad = {
        'text': Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
        'a length without a type': Buffer.from([0, 0, 0, 0]),
        'an unknown type': Buffer.from([0, 0, 0, 1, 99]),
        'a length beyond the limit': Buffer.from([255, 255, 255, 255, 67]),
        'a string that leaves its frame':
            Buffer.from([0, 0, 0, 5, 69, 0, 0, 0, 9]),
        'bytes behind the last field':
            Buffer.concat([Buffer.from([0, 0, 0, 14]),
                           encode('WELCOME', {}).subarray(4),
                           Buffer.from([0])]),
        'a frame of the other direction':
            encode('SUBSCRIBE', { req: 1n, spec: '{}' }),
        'WELCOME again': encode('WELCOME', { version: 1 }),
        'JOINED for no join':
            encode('JOINED', { req: 77n, topic: ROUTE, spec: SPEC }),
    };

    for (const [name, bytes] of Object.entries(bad)) {
        test(`drops a peer that sends ${name}`, async () => {
            const { c } = await member();
            const workers = stack.nginx.workers();

            feed.raw(bytes);
            await feed.closed;

            feed = await peer.next();
            assert.equal(feed.resumed.length, 1);
            assert.deepEqual(stack.nginx.workers(), workers);
            await lives(c);
        });
    }

    test('drops a peer that says ok to a join', async () => {
        const c = await client();
        const called = c.call(ROUTE, 'phx_join', {}, 'j');
        const ask = await feed.frame('JOIN');

        feed.send('REPLY', { req: ask.req, status: 0, payload: '{}' });
        assert.equal((await called).status, 'error');
        await feed.closed;
        feed = await peer.next();
        await lives(c);
    });

    test('drops a peer that says JOINED for another topic', async () => {
        const c = await client();
        const called = c.call(ROUTE, 'phx_join', {}, 'j');
        const ask = await feed.frame('JOIN');

        feed.send('JOINED', { req: ask.req, topic: 'rt:other', spec: SPEC });
        assert.equal((await called).status, 'error');
        await feed.closed;
        feed = await peer.next();
        await lives(c);
    });

    test('passes over events for whom it does not have', async () => {
        const { c, ask } = await member();

        for (const topic of ['room', 'rt:other', '']) {
            feed.send('EVENT', { topic, event: 'rows', payload: '{}' });
            feed.send('EVENT_TO', { socket: ask.socket, topic, event: 'rows',
                                    payload: '{}' });
            feed.send('RESET', { topic, reason: 'whatever' });
        }

        feed.send('EVENT_TO', { socket: 999n, topic: ROUTE, event: 'rows',
                                payload: '{}' });
        feed.send('EVENT', { topic: ROUTE, event: 'rows', payload: '{"a":1}',
                             position: at(101) });
        assert.equal(await c.text(),
                     `[null,null,"${ROUTE}","rows",{"a":1}]`);
    });

    test('names both versions when they differ', async () => {
        peer.welcome = { version: 2, epoch: 1n };
        feed.destroy();
        await (await peer.accept()).closed;

        await until(() => errors().some((line) => {
            return /speaks version 2 of the feed, this module version 1/
                   .test(line);
        }), 'the log names the versions');

        const c = await client();

        assert.equal((await c.call('room', 'subscribe', {})).response.reason,
                     'the query engine is not connected, try again');

        peer.welcome = { version: 1, epoch: 1n };
        feed = await peer.next('the attempt after the longest delay',
                               2 * LIMIT);
    });

    test('ends in order whatever the feed does', async () => {
        const c = await client();
        const called = c.call('room', 'subscribe', {});

        await feed.frame('SUBSCRIBE');
        await peer.close();
        peer = null;
        await called;

        await stack.nginx.stop('SIGQUIT');
        assert.equal((await c.closed).code, 1012);
    });

    test('hands over to the next worker at a reload', async () => {
        const { c } = await member();
        const old = feed;

        await stack.nginx.reload();
        feed = await peer.next();
        assert.equal(feed.hello.instance, old.hello.instance);
        assert.notEqual(feed.hello.pid, old.hello.pid);

        await c.closed;
        await old.closed;
        assert.equal((await old.frame('LEAVE')).lost, 1);
    });
});
