/*
 * Allocations of the replicator that fail, one after the other, wherever it
 * stands: it tells somebody, or ends in order, and nobody misses anything.
 */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { LIMIT, until } from './lib/await.mjs';
import { Live } from './lib/live.mjs';
import { startStack } from './lib/stack.mjs';


/* a sanitizer has an allocator of its own */
const skip = process.env.KAIROS_SANITIZE == '1';

const RUN = Number(process.env.NOMEMORY_MS) || 10000;
const SOURCE = join(dirname(fileURLToPath(import.meta.url)),
                    'lib/failing-malloc.c');

const QUERIES = [
    { query: 'select id, userid, content from posts' },
    { query: 'select p.id, p.userid, p.content, n.content as note from posts'
             + ' p left join notes n on n.id = p.id' },
    { query: 'select p.id, p.userid, (select count(*) from notes n'
             + ' where n.userid = p.userid) as notes from posts p' },
];

let dir, stack;

before(async () => {
    if (skip) {
        return;
    }

    dir = mkdtempSync(join(tmpdir(), 'kairos-'));
    chmodSync(dir, 0o755);

    const library = join(dir, 'failing-malloc.so');

    execFileSync('cc', ['-shared', '-fPIC', '-O2', '-o', library, SOURCE]);

    stack = await startStack({ workers: 2, env: {
        LD_PRELOAD: library, FAIL_EVERY: '0', FAIL_AFTER: '20000' }, setup: `
        create table posts (id int primary key, userid int, content text);
        create table notes (id int, userid int, content text,
                            primary key (id)) partition by range (id);
        create table notes_1 partition of notes for values from (0) to (500);
        create table notes_2 partition of notes for values from (500)
            to (100000);
        alter table posts replica identity full;
        alter table notes_1 replica identity full;
        alter table notes_2 replica identity full;` });
});

after(async () => {
    await stack?.stop();
    if (dir) {
        rmSync(dir, { recursive: true });
    }
});


/* As a page does it: who is told subscribes again, until it may. */
class Page {
    constructor(live) {
        this.live = live;
        this.told = 0;
        this.heal();
    }

    async heal() {
        while (!this.closed) {
            const { client, topic } = this.live;

            if (!await client.event(topic, 'phx_error', null, 500)
                         .catch(() => null))
            {
                continue;
            }

            this.told++;

            while (!this.closed && !await this.again().catch(() => false)) {
                await delay(200);
            }
        }
    }

    async again() {
        /* what came before is older than the rows to come */
        this.live.drain();

        if ((await this.live.subscribe()).status != 'ok') {
            return false;
        }

        await this.live.join();
        return true;
    }
}


async function write() {
    const id = Math.floor(Math.random() * 1000);
    const user = Math.floor(Math.random() * 4);

    await stack.sql([
        'insert into posts values ($1, $2, \'a\') on conflict (id)'
        + ' do update set userid = $2, content = posts.content || \'b\'',
        'insert into notes values ($1, $2, \'a\') on conflict (id)'
        + ' do update set userid = $2, content = notes.content || \'b\'',
        'delete from posts where id % 50 = $1 % 50 and userid = $2',
        'update posts set content = \'c\' where id % 20 = $1 % 20'
        + ' and userid <> $2',
    ][Math.floor(Math.random() * 4)], [id, user]);
}


/* Where it crashed. */
function crashes() {
    const lines = stack.replicator.output().split('\n');

    return lines.map((line, i) => [line, lines.slice(i, i + 9).join('\n')])
           .filter(([line]) => /failing-malloc\.so\(/.test(line))
           .map(([, trace]) => trace);
}


test('nothing is lost, and it never crashes', { skip }, async (t) => {
    const pages = [];
    const ends = [];
    let failing = true;

    for (const user of [0, 1, 2, 3]) {
        for (const more of QUERIES) {
            const field = more.query.includes('posts p') ? 'p.userid'
                                                         : 'userid';
            const live = await Live.open(stack.base, 'posts', field,
                                         `${user}`, { ...more, pk: 'id' })
                .catch((err) => {
                    throw new Error(`${more.query}: ${err.message}`);
                });

            const page = new Page(live);

            t.after(() => {
                page.closed = true;
                live.client.ws.terminate();
            });
            pages.push(page);
        }
    }

    /* as systemd does it; whether it comes far is not awaited */
    const supervisor = (async () => {
        while (failing) {
            const { code, signal } = await stack.replicator.process.exit;

            if (failing) {
                ends.push(signal ?? code);
                await delay(100);
            }

            if (failing) {
                stack.replicator.start().catch(() => {});
            }
        }
    })();

    stack.options.env.FAIL_EVERY = process.env.FAIL_EVERY ?? '300';
    stack.options.env.FAIL_AFTER = process.env.FAIL_AFTER ?? '2000';
    await stack.replicator.process.kill('SIGKILL');

    const from = Date.now();

    /* the first end was ours */
    while (Date.now() < from + RUN
           || (ends.length < 2 && Date.now() < from + 6 * RUN))
    {
        await write();
        await delay(5);
    }

    failing = false;
    stack.options.env.FAIL_EVERY = '0';
    stack.replicator.wanted = false;
    await stack.replicator.process.kill('SIGKILL').catch(() => {});
    await supervisor;
    await stack.replicator.start();

    const told = pages.reduce((sum, page) => sum + page.told, 0);
    const orderly = ends.filter((end) => end === 1).length;

    t.diagnostic(`it ended ${orderly} times, ${told} times a page was told`);
    assert.deepEqual(crashes(), []);
    assert.ok(orderly > 0);
    assert.equal(ends.length, 1 + orderly);

    for (const { live } of pages) {
        const { query, table_field: field, field_value: value }
            = live.payload;

        await live.converges(`${query} where ${field} = ${value}`, stack,
                             6 * LIMIT);
    }
});
