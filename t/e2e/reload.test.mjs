/*
 * What a reload, a crash of a worker and another binary mean for clients:
 * when they are told, what they get until then, and what is counted.
 */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { daemonize } from '../soak/binary.mjs';
import { LIMIT, until, within } from './lib/await.mjs';
import { Client } from './lib/client.mjs';
import { FeedPeer } from './lib/feed-peer.mjs';
import { children } from './lib/processes.mjs';
import { startStack } from './lib/stack.mjs';


async function start(t, options) {
    const stack = await startStack({ postgres: false, workers: 2,
                                     ...options });

    t.after(() => stack.stop());
    return stack;
}


/* n clients that joined "room". */
function joined(t, stack, n, path = 'realtime') {
    return Promise.all(Array.from({ length: n }, async (_, i) => {
        const c = await Client.connect(`ws://127.0.0.1:${stack.port}/${path}`,
                                       { name: `client ${i}` });

        t.after(() => c.ws.terminate());
        await c.join('room');
        return c;
    }));
}


async function told1012(clients, ms) {
    for (const c of clients) {
        assert.equal((await within(c.closed, `${c.name} is told`, ms)).code,
                     1012);
    }
}


describe('a reload', () => {
    test('says 1012 to one after the other, all over kairos_drain',
         async (t) => {
        const n = 300, parts = 6;
        const stack = await start(t, { directives: 'kairos_drain 3s;' });
        const clients = await joined(t, stack, n);
        const times = [], order = [];

        clients.forEach((c, i) => c.closed.then(({ code }) => {
            assert.equal(code, 1012);
            times.push(performance.now());
            order.push(i);
        }));

        await stack.nginx.reload();

        /* new workers serve who comes now, old ones whom they have */
        const [fresh] = await joined(t, stack, 1);

        fresh.push('room', 'e', { body: 1 });
        assert.deepEqual(await fresh.event('room', 'e'), { body: 1 });
        await until(() => times.length == n, 'all were told', 3 * LIMIT);

        /* how many in each part of the time from the first to the last */
        const first = Math.min(...times);
        const width = (Math.max(...times) - first) / parts;
        const counts = Array(parts).fill(0);

        for (const time of times) {
            counts[Math.min(Math.floor((time - first) / width), parts - 1)]++;
        }

        t.diagnostic(`of ${n} in ${Math.round(width * parts)} ms: ${counts}`);

        /* 50 are expected in each; a busy machine may bunch some */
        assert.ok(Math.max(...counts) < n / 3, counts.join());
        assert.ok(counts.filter((x) => x > 15).length >= parts - 1,
                  counts.join());

        /* and not in the order in which they came */
        const ups = order.filter((x, i) => i > 0 && x > order[i - 1]).length;

        assert.ok(ups > 0.3 * n && ups < 0.7 * n, `${ups} of ${n} ascend`);
        assert.equal(fresh.ws.readyState, 1);
    });

    test('again and again loses nobody, and leaves no place taken',
         async (t) => {
        const stack = await start(t, { directives: 'kairos_drain 500ms;' });
        const clients = await joined(t, stack, 40);
        const before = stack.nginx.workers();

        /* faster than workers start */
        for (let i = 0; i < 30; i++) {
            process.kill(stack.nginx.pid, 'SIGHUP');
            await new Promise((resolve) => setImmediate(resolve));
        }

        await told1012(clients, 3 * LIMIT);

        const fresh = await until(async () => {
            const now = stack.nginx.workers();
            const { workers } = await stack.nginx.status();

            return now.length == 2 && workers.length == 2
                   && !now.some((pid) => before.includes(pid)) && now;
        }, 'two new workers are left', 3 * LIMIT);

        await joined(t, stack, 40);

        const { workers, sockets, channels, opened }
            = await stack.nginx.status();

        assert.deepEqual(workers.map((w) => w.pid).sort(), fresh.sort());
        assert.deepEqual([sockets, channels, opened], [40, 40, 80]);
    });

    test('answers what is pending, by the worker that was asked',
         async (t) => {
        const dir = mkdtempSync(join(tmpdir(), 'kairos-reload-'));
        const path = join(dir, 'replicator.sock');

        t.after(() => rmSync(dir, { recursive: true, force: true }));
        chmodSync(dir, 0o755);

        const peer = await FeedPeer.listen(path);

        t.after(() => peer.close());

        const stack = await start(t, { workers: 1, directives: `
            kairos_replicator unix:${path}; kairos_drain 10m;` });
        const old = await peer.next();
        const [c] = await joined(t, stack, 1);
        const asked = c.call('room', 'subscribe', { n: 1 });
        const joins = c.call('rt:a', 'phx_join', {}, 'rt:a');
        const ask = await old.frame('SUBSCRIBE');
        const join_ = await old.frame('JOIN');

        await stack.nginx.reload();
        await peer.next('the new worker');

        /* also what it asks now */
        const later = c.call('room', 'subscribe', { n: 2 });
        const more = await old.frame('SUBSCRIBE');

        for (const { req } of [ask, more]) {
            old.send('REPLY', { req, payload: '{}' });
        }

        old.send('JOINED', { req: join_.req, topic: 'rt:a', spec: '{}',
                             position: { epoch: 1n, lsn: 1n, n: 0 } });

        for (const reply of await Promise.all([asked, joins, later])) {
            assert.equal(reply.status, 'ok');
        }

        /* who waits when the time is up is told as all are */
        c.push('room', 'subscribe', { n: 3 });
        await old.frame('SUBSCRIBE');
        process.kill(stack.nginx.pid, 'SIGTERM');
        assert.equal((await within(c.closed, 'the close')).code, 1001);
    });

    test('with another size, name or limit is taken as nginx does',
         async (t) => {
        const stack = await start(t, {
            directives: 'kairos_drain 10m; kairos_max_channels 2;' });
        const [a] = await joined(t, stack, 1);
        const { ring_size: size } = await stack.nginx.status();

        /* another limit: for new sockets, in the same zone */
        stack.options.directives = 'kairos_drain 10m; kairos_max_channels 1;';
        await stack.nginx.reload();

        const [b] = await joined(t, stack, 1);

        await a.join('two');
        await assert.rejects(b.join('two'), /too many channels/);
        a.push('room', 'e', { body: 'a' });
        assert.deepEqual(await b.event('room', 'e'), { body: 'a' });
        assert.equal((await stack.nginx.status()).opened, 2);

        /* another size: a new zone, the old goes on with its workers */
        stack.options.zone = 'kairos_zone live 4m;';
        await stack.nginx.reload();

        const [c] = await joined(t, stack, 1);
        const status = await stack.nginx.status();

        assert.ok(status.ring_size < size);
        assert.equal(status.opened, 1);
        b.push('room', 'e', { body: 'b' });
        c.push('room', 'e', { body: 'c' });
        assert.deepEqual(await a.event('room', 'e'), { body: 'a' });
        assert.deepEqual(await a.event('room', 'e'), { body: 'b' });
        assert.deepEqual(await c.event('room', 'e'), { body: 'c' });

        /* another name likewise */
        stack.options.zone = `kairos_zone live 4m; kairos_zone other 1m;`;
        stack.options.server = 'location /other { kairos other; }';
        await stack.nginx.reload();

        const [d] = await joined(t, stack, 1);
        const [e] = await joined(t, stack, 1, 'other');

        c.push('room', 'e', { body: 'c' });
        assert.deepEqual(await d.event('room', 'e'), { body: 'c' });
        assert.deepEqual(await e.pending(), []);
    });

    test('that cannot be done is refused, and what ran goes on',
         async (t) => {
        const stack = await start(t, { expected: /\[emerg\]/ });
        const [a] = await joined(t, stack, 1);
        const workers = stack.nginx.workers();
        const { zone } = stack.options;
        const refused = async (what) => {
            const from = stack.nginx.errorLog().length;

            stack.nginx.configure();
            process.kill(stack.nginx.pid, 'SIGHUP');
            await until(() => what.test(stack.nginx.errorLog().slice(from)),
                        `the log says ${what}`);
            assert.deepEqual(stack.nginx.workers(), workers);
            a.push('room', 'e', { body: 1 });
            assert.deepEqual(await a.event('room', 'e'), { body: 1 });
            await joined(t, stack, 1);
        };

        stack.options.zone = 'kairos_zone live 4k;';
        await refused(/kairos_zone "live" of size "4k" is too small/);

        stack.options.zone = 'kairos_zone live 64k;';
        stack.options.workers = 100;
        await refused(/kairos_zone "live" is too small for 400 places/);
        stack.options.workers = 2;

        stack.options.zone = 'kairos_zone lvie 8m;';
        await refused(/unknown kairos zone "live"/);

        /* more eventfds than the master may have open files */
        execFileSync('prlimit', ['--pid', `${stack.nginx.pid}`,
                                 '--nofile=64:']);
        stack.options.zone = `${zone} kairos_zone more 1m;`;
        await refused(/eventfd\(\) failed for kairos_zone "more"/);

        stack.options.zone = zone;
        await stack.nginx.reload();
        await joined(t, stack, 1);
    });
});


describe('a worker that is killed', () => {
    test('takes its own clients with it, and no count', async (t) => {
        const stack = await start(t, { directives: `
            kairos_max_per_address 100; kairos_drain 10m;` });
        const clients = await joined(t, stack, 40);
        let open = clients.length;

        for (const c of clients) {
            c.closed.then(() => open--);
        }

        for (const reload of [false, true]) {
            const [victim] = stack.nginx.workers()
                             .filter((pid) => stack.nginx.connections(pid));
            const held = stack.nginx.connections(victim);
            const left = open - held;

            /* an old worker has nobody to take its place */
            if (reload) {
                await stack.nginx.reload();
            }

            await stack.nginx.killWorker(victim);
            await until(() => open == left, 'its clients are gone');

            const status = await until(async () => {
                const now = await stack.nginx.status();

                return !now.workers.some((w) => w.pid == victim) && now;
            }, 'its place is free');

            assert.deepEqual([status.sockets, status.channels],
                             [left, left]);
            assert.equal(status.opened, 40);
        }

        for (const c of clients.filter((c) => c.ws.readyState == 1)) {
            assert.deepEqual(await c.pending(), []);
        }

        /* as many seats are free as were */
        assert.equal((await joined(t, stack, 100 - open)).length, 100 - open);
        await assert.rejects(joined(t, stack, 1), /429/);
    });
});


describe('another binary', () => {
    test('takes over, and gives back', async (t) => {
        const stack = await start(t, {
            directives: 'kairos_drain 300ms;',
            /* the new binary gets no other variables */
            main: 'env ASAN_OPTIONS; env LSAN_OPTIONS; env UBSAN_OPTIONS;' });

        await daemonize(stack);

        const old = stack.nginx.pid;
        const workers = (pid) => children(pid).filter(
            ({ title }) => title == 'nginx: worker process').length;
        const first = await joined(t, stack, 20);

        process.kill(old, 'SIGUSR2');

        const fresh = await until(() => {
            const { pid } = stack.nginx;

            return pid != old && pid > 0 && workers(pid) == 2 && pid;
        }, 'the new binary has workers', 2 * LIMIT);

        /* nobody is disturbed before the old workers are told to end */
        for (const c of first) {
            assert.deepEqual(await c.pending(), []);
        }

        process.kill(old, 'SIGWINCH');
        await told1012(first);
        await until(() => workers(old) == 0, 'the old workers ended');

        const second = await joined(t, stack, 20);

        assert.equal((await stack.nginx.status()).sockets, 20);

        /* and back */
        process.kill(old, 'SIGHUP');
        await until(() => workers(old) == 2, 'the old binary has workers');
        process.kill(fresh, 'SIGQUIT');
        await told1012(second);
        await until(() => stack.nginx.pid == old, 'the old master alone',
                    2 * LIMIT);

        const third = await joined(t, stack, 20);

        third[0].push('room', 'e', { body: 1 });

        for (const c of third) {
            assert.deepEqual(await c.event('room', 'e'), { body: 1 });
        }

        assert.equal((await stack.nginx.status()).sockets, 20);
    });
});
