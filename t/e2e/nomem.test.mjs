/*
 * Workers whose allocations fail, from one in five hundred to every second:
 * none dies, nobody misses a message without being told, and when there is
 * memory again all is as it was.
 */

import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync }
    from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { LIMIT, until, within } from './lib/await.mjs';
import { Client } from './lib/client.mjs';
import { FeedPeer } from './lib/feed-peer.mjs';
import { Raw } from './lib/raw.mjs';
import { BUILD, startStack } from './lib/stack.mjs';


const ROUTE = 'rt:0123abcd';
const SOCKETS = 40;
const ROUNDS = [500, 100, 30, 10, 4, 2];

/* failures that a round waits for, and the milliseconds it takes at most */
const FAILURES = 250, ROUND = 3000;

/* nginx says it of each, most of them are its own */
const NO_MEMORY = new RegExp('(malloc|posix_memalign)\\([\\d, ]+\\) failed'
                             + ' \\(12: Cannot allocate memory\\)');


/* The allocator's file, see t/fault/nomem.c. */
class Memory {
    static async create(dir) {
        const memory = new Memory();

        memory.path = join(dir, 'nomem');
        writeFileSync(memory.path, Buffer.alloc(12));
        memory.file = await open(memory.path, 'r+');
        return memory;
    }

    async set(every, spared) {
        const b = Buffer.alloc(8);

        b.writeUInt32LE(every);
        b.writeUInt32LE(spared, 4);
        await this.file.write(b, 0, 8, 0);
    }

    async failed() {
        const { buffer } = await this.file.read(Buffer.alloc(4), 0, 4, 8);

        return buffer.readUInt32LE();
    }
}


/*
 * A replicator that lets everybody join the route and sends its events: those
 * of which a worker says that it has not got them, then each new one.
 */
class Source {
    constructor(peer) {
        this.n = 0;
        this.feeds = new Set();
        peer.accepted.put = (feed) => {
            feed.members = 0;
            feed.frames.put = (f) => this.answer(feed, f);
        };
    }

    answer(feed, f) {
        if (f.type == 'SUBSCRIBE') {
            feed.send('REPLY', { req: f.req, payload: '{}' });

        } else if (f.type == 'JOIN') {
            feed.members++;
            feed.send('JOINED', { req: f.req, topic: f.topic, spec: '{}',
                                  position: this.at(this.n) });

        } else if (f.type == 'RESUME') {
            feed.members += f.members;

            for (let n = Number(f.position.lsn) + 1; n <= this.n; n++) {
                this.event(feed, n);
            }

        } else if (f.type == 'LEAVE') {
            feed.members--;
        }

        if (feed.members > 0 && f.type != 'closed') {
            this.feeds.add(feed);

        } else {
            this.feeds.delete(feed);
        }
    }

    emit() {
        this.n++;

        for (const feed of this.feeds) {
            this.event(feed, this.n);
        }
    }

    event(feed, n) {
        feed.send('EVENT', { topic: ROUTE, event: 'e', position: this.at(n),
                             payload: JSON.stringify({ n, x: pad(n, 400) })
                           });
    }

    at(n) {
        return { epoch: 1n, lsn: BigInt(n), n: 0 };
    }
}


/* of a message: now and then one that needs larger buffers */
function pad(n, kb) {
    return 'x'.repeat(n % 64 ? 700 : kb * 1024);
}


/* Connects, however often it takes. */
async function connect(run, name) {
    while (!run.stop) {
        try {
            return await Client.connect(run.stack.base, { name });

        } catch (err) {
            /* a refusal is an answer, silence is none */
            if (/in vain/.test(err.message)) {
                throw err;
            }
        }
    }

    return null;
}


/* The reply, or null if the socket was closed: nothing else may be. */
function answer(c, topic, event, payload, joinRef) {
    return Promise.race([c.call(topic, event, payload, joinRef),
                         c.closed.then(() => null)]);
}


/*
 * Joins, listens for a while, leaves in one way or the other, comes back.
 * From a join on it gets every number until it is told that it does not.
 */
async function listen(run, name) {
    for (let life = 0; !run.stop; life++) {
        const c = await connect(run, name);

        if (c == null) {
            return;
        }

        c.ws.removeAllListeners('message');
        await life_of(run, c, life);
        c.ws.terminate();
        await within(c.closed, `${name}: the end`);
    }
}


async function life_of(run, c, life) {
    const last = {};
    let open = true, heard = 0;

    c.closed.then(() => { open = false; });

    c.ws.on('message', (text) => {
        const [, , topic, event, payload] = JSON.parse(text);

        if (event == 'phx_error' || event == 'phx_close') {
            delete last[topic];

        } else if (event == 'e') {
            const n = payload.n ?? payload.body.n;

            if (topic in last && n > last[topic] + 1) {
                run.holes.push(`${c.name}: ${topic}: ${n} after `
                               + last[topic]);
            }

            last[topic] = Math.max(n, last[topic] ?? 0);
            heard++;
            run.heard++;
        }

        c.inbox.put(text.toString());
        c.inbox.items = c.inbox.items.filter((t) => /phx_reply/.test(t));
    });

    for (const topic of ['room', ROUTE, `own:${c.name}`]) {
        if (await answer(c, topic, 'phx_join', {}, topic) == null) {
            return;
        }
    }

    if (await answer(c, 'room', 'subscribe', {}, 'room') == null) {
        return;
    }

    await until(() => run.stop || !open || heard > 10 + life % 40,
                'it has heard something', ROUND, 10).catch(() => {});

    if (open && life % 2 == 0) {
        delete last.room;
        await answer(c, 'room', 'phx_leave', {}, 'room');
    }
}


/* Broadcasts one number after the other; again, if it was not answered. */
async function speak(run) {
    let n = 1;

    while (!run.stop) {
        const c = await connect(run, 'the speaker');

        if (c == null) {
            return;
        }

        let reply = await answer(c, 'room', 'phx_join', {}, 'room');

        while (reply != null && !run.stop) {
            reply = await answer(c, 'room', 'e', {
                body: { n, x: pad(n, 60) } }, 'room');

            if (reply?.status == 'ok') {
                n++;
                run.said++;
                run.source.emit();

            } else if (reply != null) {
                reply = await answer(c, 'room', 'phx_join', {}, 'room');
            }

            c.inbox.items.length = 0;
        }

        c.ws.terminate();
        await within(c.closed, 'the end of the speaker');
    }
}


/* All rounds, and then nobody is left. */
async function rounds(run) {
    run.stop = false;

    const all = [speak(run), ...Array.from(
        { length: 8 }, (_, i) => listen(run, `listener ${i}`))];
    const ended = Promise.all(all).catch((err) => {
        run.stop = true;
        throw err;
    });

    ended.catch(() => {});

    for (const every of ROUNDS) {
        const before = await run.memory.failed();
        const end = Date.now() + ROUND;

        await run.memory.set(every, run.stack.nginx.pid);
        await until(async () => await run.memory.failed() - before > FAILURES
                                || Date.now() > end || run.stop,
                    'enough has failed', 2 * ROUND);
        await run.memory.set(0, 0);

        /* the service recovers each time */
        const { said, heard } = run;

        await until(() => run.stop
                          || run.said > said + 20 && run.heard > heard + 20,
                    'messages flow again', 3 * LIMIT);
    }

    run.stop = true;
    await ended;

    return until(async () => {
        const status = await run.stack.nginx.status();

        return status.sockets == 0 && status.channels == 0
               && status.feeds == 2 && status;
    }, 'all sockets are gone, and both feeds are up', 2 * LIMIT);
}


function resident(pids) {
    return pids.reduce((sum, pid) => sum + Number(/^RssAnon:\s+(\d+) kB/m.exec(
        readFileSync(`/proc/${pid}/status`, 'utf8'))[1]), 0);
}


test('workers without memory', {
    skip: process.env.KAIROS_SANITIZE && 'a sanitizer has its own allocator',
}, async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'kairos-nomem-'));

    t.after(() => rmSync(dir, { recursive: true, force: true }));
    chmodSync(dir, 0o755);

    const memory = await Memory.create(dir);
    const path = join(dir, 'replicator.sock');
    const peer = await FeedPeer.listen(path);

    t.after(() => memory.file.close());
    t.after(() => peer.close());

    const source = new Source(peer);
    const stack = await startStack({
        postgres: false, workers: 2, expected: NO_MEMORY,
        nginxEnv: { LD_PRELOAD: join(BUILD, 'nomem.so'),
                    KAIROS_NOMEM: memory.path },
        directives: `kairos_replicator unix:${path};
                     kairos_max_connections ${SOCKETS};
                     kairos_max_per_address ${SOCKETS};` });

    t.after(() => stack.stop());

    const workers = stack.nginx.workers();
    const run = { stack, memory, source, holes: [], said: 0, heard: 0 };

    t.after(() => { run.stop = true; });

    await rounds(run);

    const before = resident(workers);
    const { failed, overruns, lost_feeds: lost } = await rounds(run);
    const grown = resident(workers) - before;

    t.diagnostic(`${await memory.failed()} allocations failed, ${failed}`
                 + ` sockets were closed for it, ${lost} feeds and ${overruns}`
                 + ` times messages lost; ${run.said} messages said,`
                 + ` ${run.heard} heard; both workers grew by ${grown} kB`
                 + ` from ${before} kB`);

    assert.deepEqual(run.holes, []);
    assert.deepEqual(stack.nginx.workers(), workers, 'no worker has died');
    assert.ok(failed > 0, 'sockets were closed');
    assert.ok(lost > 0, 'feeds were lost');

    /* 400 kB here and there; what each failure left would be more */
    assert.ok(grown < 4096, `the workers grew by ${grown} kB`);

    /* each seat is free again */
    for (let i = 0; i <= SOCKETS; i++) {
        const raw = await Raw.open(stack.port);

        t.after(() => raw.destroy());
        assert.equal(raw.head.status, i < SOCKETS ? 101 : 503);
    }
});
