/*
 * A replicator that takes what it is asked, and says nothing: its clients are
 * answered all the same.  It takes a minute, of waiting alone.
 */

import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { LIMIT, within } from './lib/await.mjs';
import { Client } from './lib/client.mjs';
import { FeedPeer } from './lib/feed-peer.mjs';
import { startStack } from './lib/stack.mjs';


const MINUTE = 60000;


/* As Client.call(), which does not wait so long. */
async function answer(c, ref) {
    const text = await c.inbox.find((t) => JSON.parse(t)[1] === ref,
                                    `the answer to ${ref}`, MINUTE + LIMIT);

    return JSON.parse(text)[4];
}


test('who asks a silent replicator is answered after a minute', async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'kairos-silence-'));
    const path = join(dir, 'replicator.sock');

    t.after(() => rmSync(dir, { recursive: true, force: true }));
    chmodSync(dir, 0o755);

    const peer = await FeedPeer.listen(path);

    t.after(() => peer.close());

    const stack = await startStack({
        postgres: false, workers: 1, directives: `
            kairos_replicator unix:${path}; kairos_idle_timeout 5m;` });

    t.after(() => stack.stop());

    const feed = await peer.next();
    const c = await Client.connect(stack.base);

    t.after(() => c.ws.terminate());
    await c.join('room');

    const began = performance.now();

    c.send([c.joins.room, 'a', 'room', 'subscribe', {}]);
    c.send(['b', 'b', 'rt:a', 'phx_join', {}]);

    const ask = await feed.frame('JOIN');
    const refusal = { status: 'error', response: {
        reason: 'the query engine did not answer in time, try again' } };

    assert.deepEqual(await answer(c, 'a'), refusal);
    assert.deepEqual(await answer(c, 'b'), refusal);
    assert.ok(performance.now() - began > MINUTE - 1000);
    assert.match(stack.nginx.errorLog(),
                 /\[error\].* left 2 requests without an answer for 60000 ms/);

    /* what is accepted too late makes nobody a member */
    feed.send('JOINED', { req: ask.req, topic: 'rt:a', spec: '{}' });
    assert.deepEqual(await feed.frame('LEAVE'), {
        type: 'LEAVE', socket: ask.socket, client: ask.client, lost: 1,
        topic: 'rt:a' });
    assert.equal((await stack.nginx.status()).channels, 1);

    /* and the feed was not given up */
    const reply = c.call('room', 'subscribe', {});
    const again = await within(feed.frames.find(
        (f) => f.type == 'SUBSCRIBE' && f.req > ask.req), 'a subscribe');

    feed.send('REPLY', { req: again.req, payload: '{"a":1}' });
    assert.deepEqual((await reply).response, { a: 1 });
});
