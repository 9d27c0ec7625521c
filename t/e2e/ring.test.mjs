/*
 * The ring at its bounds: a worker that is overtaken, and more generations of
 * workers than the zone has places for.
 */

import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, readSync, writeSync }
    from 'node:fs';
import { Agent, get } from 'node:http';
import { test } from 'node:test';

import { LIMIT, until, within } from './lib/await.mjs';
import { Client } from './lib/client.mjs';
import { startStack } from './lib/stack.mjs';


/* Starts two workers with a small zone. */
async function small(t, options) {
    const stack = await startStack({
        ...options, postgres: false, workers: 2, http: 'kairos_zone small 256k;',
        server: `location /small { kairos small; }
                 location = /status/small { kairos_status small; }
                 location = /pid { return 200 $pid; }` });

    t.after(() => stack.stop());
    return stack;
}


/* Clients of the small zone: one in each worker at least, the first two. */
async function apart(t, stack) {
    const base = `ws://127.0.0.1:${stack.port}/small`;
    const workers = stack.nginx.workers();
    const counts = () => workers.map((pid) => stack.nginx.connections(pid));
    const clients = [];

    for (let i = 0; i < 100 && counts().some((n) => n == 0); i++) {
        const before = counts();
        const c = await Client.connect(base, { name: `client ${i}` });
        const now = await until(() => {
            const n = counts();

            return n[0] + n[1] == i + 1 && n;
        }, 'a worker holds the connection');

        t.after(() => c.ws.terminate());
        c.worker = workers[now[0] > before[0] ? 0 : 1];
        clients.push(c);
    }

    return [clients[0], clients.find((c) => c.worker != clients[0].worker)];
}


test('a worker that was overtaken tells its clients, and goes on',
     async (t) => {
    const stack = await small(t);
    const [a, b] = await apart(t, stack);

    await a.join('room');
    await b.join('room');
    process.kill(b.worker, 'SIGSTOP');

    try {
        for (let i = 0; i < 200; i++) {
            a.push('room', 'e', { body: { i, x: 'x'.repeat(4000) } });
            assert.equal((await a.event('room', 'e')).body.i, i);
        }

    } finally {
        process.kill(b.worker, 'SIGCONT');
    }

    /* it got nothing, or the beginning, and never a hole */
    const { reason } = await b.event('room', 'phx_error');

    assert.match(reason, /lost, join again/);
    assert.match(stack.nginx.errorLog(), /\[warn\].*lost \d+ bytes/);

    /* it was waited for, but not for ever */
    const { overruns, held } = await stack.nginx.status('/status/small');

    assert.equal(overruns, 1);
    assert.ok(held > 0);

    const got = b.inbox.items.map((text) => JSON.parse(text)[4].body?.i);

    assert.deepEqual(got, got.map((_, i) => i));

    await b.join('room');
    a.push('room', 'after', { body: 1 });
    assert.deepEqual(await b.event('room', 'after'), { body: 1 });

    const errors = a.inbox.items.filter((text) => /phx_error/.test(text));

    assert.deepEqual(errors, []);
});


for (const [what, at, alert] of [
    ['a size', 0, /\[alert\].*record of \d+ bytes in kairos_zone "small"/],
    ['a length', 4, /\[alert\].*malformed record in kairos_zone "small"/],
]) {
    test(`a record with ${what} that cannot be ends no worker`, async (t) => {
        const stack = await small(t, { expected: alert });
        const [a, b] = await apart(t, stack);
        const workers = stack.nginx.workers();

        await a.join('room');
        await b.join('room');
        process.kill(b.worker, 'SIGSTOP');

        try {
            a.push('room', 'e', { body: 'to be overwritten' });
            await a.event('room', 'e');
            overwrite(b.worker, 0x40000, '{"body":"to be overwritten"}', at,
                      [7, 0, 0, 0]);

        } finally {
            process.kill(b.worker, 'SIGCONT');
        }

        assert.match((await b.event('room', 'phx_error')).reason,
                     /join again/);
        await until(() => alert.test(stack.nginx.errorLog()),
                    'the log has an alert');
        await b.join('room');
        a.push('room', 'e', { body: 1 });
        assert.deepEqual(await b.event('room', 'e'), { body: 1 });
        assert.deepEqual(stack.nginx.workers(), workers);
    });
}


/*
 * Spoils bytes of a record's head, by its payload, which stands behind 16
 * bytes of head, "room" and "e"; in the shared memory of this size.
 */
function overwrite(pid, size, payload, at, bytes) {
    const [start] = readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')
        .filter((line) => / rw-s /.test(line))
        .map((line) => line.split(/[- ]/, 2).map((x) => parseInt(x, 16)))
        .find(([from, to]) => to - from == size);
    const fd = openSync(`/proc/${pid}/mem`, 'r+');
    const memory = Buffer.alloc(size);

    readSync(fd, memory, 0, size, start);

    const found = memory.indexOf(payload);

    assert.ok(found > 0, 'the record is found');
    writeSync(fd, Buffer.from(bytes), 0, bytes.length,
              start + found - 'roome'.length - 16 + at);
    closeSync(fd);
}


test('a record of an unknown kind is passed over, and counted', async (t) => {
    const stack = await small(t);
    const [a, b] = await apart(t, stack);

    await a.join('room');
    await b.join('room');
    process.kill(b.worker, 'SIGSTOP');

    try {
        a.push('room', 'e', { body: 'of another kind' });
        await a.event('room', 'e');
        overwrite(b.worker, 0x40000, '{"body":"of another kind"}', 11, [200]);

    } finally {
        process.kill(b.worker, 'SIGCONT');
    }

    a.push('room', 'e', { body: 1 });
    assert.deepEqual(await b.event('room', 'e'), { body: 1 });

    const status = await stack.nginx.status('/status/small');

    assert.equal(status.unknown_records, 1);
    assert.equal(status.overruns, 0);
});


test('each worker that lives hears once of a worker that was killed',
     async (t) => {
    const stack = await startStack({ postgres: false, workers: 3 });
    const { nginx } = stack;

    t.after(() => stack.stop());

    const [killed, ...living] = nginx.workers();

    /* who reports it of whom */
    const reports = () => [...nginx.errorLog().matchAll(
        / (\d+)#\d+: worker (\d+) in slot \d+ of kairos_zone "live" has died/g)]
        .map(([, reader, dead]) => `${reader} of ${dead}`).sort();
    const expected = living.map((pid) => `${pid} of ${killed}`).sort();

    await nginx.killWorker(killed);
    await until(() => reports().length >= 2, 'both workers report the death');
    assert.deepEqual(reports(), expected);

    /* which does not free the slot once more */
    await nginx.status('/status');
    assert.deepEqual(reports(), expected);
});


test('a fast client does not overtake a slow worker', async (t) => {
    const stack = await small(t);
    const [a, b] = await apart(t, stack);
    const body = 'x'.repeat(4000);
    const each = 200, times = 10;

    await a.join('room');
    await b.join('room');

    const ask = await asking(t, stack, a.worker);
    const status = async () => JSON.parse(await ask('/status/small'));
    const behind = ({ workers }) => workers.find((w) => w.pid == b.worker)
                                    .behind;

    /* again and again: 800 kB while the other worker stands still */
    for (let n = 0; n < each * times; /* void */ ) {
        process.kill(b.worker, 'SIGSTOP');

        try {
            for (let i = 0; i < each; i++) {
                a.push('room', 'e', { body: { n: n++, body } });
            }

            await until(async () => behind(await status()) > 80000,
                        'it is behind', LIMIT, 5);

        } finally {
            process.kill(b.worker, 'SIGCONT');
        }

        await until(async () => (await status()).published == n,
                    'all is published');
    }

    for (let n = 0; n < each * times; n++) {
        assert.equal((await b.event('room', 'e')).body.n, n);
    }

    const { overruns, held } = await status();

    t.diagnostic(`stopped ${times} times, held ${held} times`);
    assert.equal(overruns, 0);
    assert.ok(held > 0);
});


/* What GETs one location after the other from one worker. */
async function asking(t, stack, worker) {
    for (let i = 0; i < 100; i++) {
        const agent = new Agent({ keepAlive: true, maxSockets: 1 });
        const ask = (path) => within(new Promise((resolve, reject) => {
            get({ host: '127.0.0.1', port: stack.port, path, agent },
                (res) => {
                let text = '';

                res.setEncoding('utf8');
                res.on('data', (data) => { text += data; });
                res.on('end', () => resolve(text));
            }).on('error', reject);
        }), `the answer to ${path}`);

        t.after(() => agent.destroy());

        if (await ask('/pid') == worker) {
            return ask;
        }
    }

    throw new Error(`worker ${worker} answers nothing`);
}


test('what a slow worker held up is published, though its sender is gone',
     async (t) => {
    const stack = await small(t);
    const [a, b] = await apart(t, stack);
    const n = 50;

    await a.join('room');
    await b.join('room');
    process.kill(b.worker, 'SIGSTOP');

    try {
        /* more than half of the ring, and less than all of it */
        for (let i = 0; i < n; i++) {
            a.send([a.joins.room, null, 'room', 'e',
                    { body: { i, x: 'x'.repeat(4000) } }]);
        }

        await a.event('room', 'e');
        a.ws._socket.end();

    } finally {
        process.kill(b.worker, 'SIGCONT');
    }

    for (let i = 0; i < n; i++) {
        assert.equal((await b.event('room', 'e')).body.i, i);
    }

    const { overruns, held } = await stack.nginx.status('/status/small');

    assert.equal(overruns, 0);
    assert.ok(held > 0);
});


test('more workers than the zone has places for hear each other',
     async (t) => {
    /* 35 sanitizers look for leaks longer than nginx waits at the end */
    const stack = await startStack({
        postgres: false, workers: 1, directives: 'kairos_drain 10h;',
        expected: process.env.KAIROS_SANITIZE && /exited on signal 9$/ });
    const clients = [];

    t.after(() => stack.stop());

    /* 32 places: a client holds each worker that a reload replaces */
    for (let i = 0; i < 34; i++) {
        const c = await Client.connect(stack.base, { name: `client ${i}` });

        t.after(() => c.ws.terminate());
        await c.join('room');
        clients.push(c);
        await stack.nginx.reload();
    }

    assert.match(stack.nginx.errorLog(),
                 /\[warn\].*all 32 places for workers in kairos_zone "live"/);

    for (const sender of [clients[0], clients[33]]) {
        sender.push('room', 'e', { body: sender.name });

        for (const c of clients) {
            assert.deepEqual(await c.event('room', 'e', 'a message',
                                           3 * LIMIT),
                             { body: sender.name });
        }
    }
});
