/*
 * Counts the instructions that an operation costs nginx's worker and
 * kairos-replicator.  bench/instructions/run starts this file, with both
 * programs under callgrind, and prints a table of the counts.
 */

import assert from 'node:assert/strict';
import { appendFileSync, chmodSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { LIMIT, until } from '../../t/e2e/lib/await.mjs';
import { Client, subscription } from '../../t/e2e/lib/client.mjs';
import { Live } from '../../t/e2e/lib/live.mjs';
import { start } from '../../t/e2e/lib/processes.mjs';
import { startStack } from '../../t/e2e/lib/stack.mjs';


const { KAIROS_BUILD: BUILD, KAIROS_COUNTS: COUNTS,
        KAIROS_RESULT: RESULT } = process.env;

/* operations before the first count */
const WARM = 50;

let stack, worker, replicator;


before(async () => {
    stack = await startStack({
        workers: 1,
        directives: 'kairos_max_channels 10000;',

        /* or another connection may be opened while counts are taken */
        env: { POOL_SIZE: '1' },
        setup: `create table posts (id int primary key, room int, body text);
                alter table posts replica identity full;
                insert into posts select i, 1000 + i / 3, repeat('x', 100)
                from generate_series(0, 2999) i;
                analyze posts`,
    });

    /* the signal that makes the worker dump also makes it reopen its log */
    chmodSync(stack.nginx.log, 0o666);

    worker = new Program('nginx worker', stack.nginx.workers()[0],
                         (pid) => process.kill(pid, 'SIGUSR1'));
    replicator = new Program('kairos-replicator', stack.replicator.pid,
        (pid) => start('vgdb', [`--vgdb-prefix=${COUNTS}/vgdb`,
                                `--pid=${pid}`, 'dump'],
                       { user: 'nobody' }).exit);
});

after(() => stack?.stop());


class Program {
    constructor(name, pid, dump) {
        this.name = name;
        this.pid = pid;
        this.dump = dump;
        this.dumps = 0;
    }

    /* {all, own}: the instructions since the last call, or since the start */
    async count() {
        const file = join(COUNTS, `${this.pid}.${++this.dumps}`);

        await this.dump(this.pid);

        return until(() => existsSync(file)
                           && parse(readFileSync(file, 'latin1')),
                     `${this.name} has written ${file}`);
    }
}


/*
 * The sums of one of callgrind's files: of all instructions, and of the
 * instructions of our own code.  Null if the file is not complete.
 */
function parse(text) {
    const total = /^totals: (\d+)\n/m.exec(text);
    const objects = {};
    let isOwn = false;
    let isCall = false;
    let own = 0;

    if (total == null) {
        return null;
    }

    for (const line of text.split('\n')) {
        const object = /^c?ob=(\(\d+\))(?: (.*))?/.exec(line);

        if (object) {
            const [, id, name] = object;

            objects[id] ??= name.startsWith(BUILD);

            if (line.startsWith('ob=')) {
                isOwn = objects[id];
            }

        } else if (line.startsWith('calls=')) {
            isCall = true;

        } else if (/^[-+*\d]/.test(line)) {
            own += isOwn && !isCall ? Number(line.split(' ')[1] ?? 0) : 0;
            isCall = false;
        }
    }

    return { all: Number(total[1]), own };
}


/*
 * Calls operation() with the numbers from 0 on, and counts `many` of the
 * calls.  Gives {all, own} of each program for one of these calls.  The cost
 * of a count itself is taken off: the least of three counts with no operation
 * between them.
 */
async function cost(programs, many, operation) {
    const counts = programs.map(() => []);
    const countAll = async () => {
        for (const [i, program] of programs.entries()) {
            counts[i].push(await program.count());
        }
    };

    for (let i = 0; i < WARM; i++) {
        await operation(i);
    }

    for (let i = 0; i < 4; i++) {
        await countAll();
    }

    for (let i = WARM; i < WARM + many; i++) {
        await operation(i);
    }

    await countAll();

    return counts.map((list) => {
        const { all, own } = list.at(-1);
        const empty = list.slice(1, -1);
        const least = (of) => Math.min(...empty.map(of));

        return { all: (all - least((e) => e.all)) / many,
                 own: (own - least((e) => e.own)) / many };
    });
}


function report(operation, program, { all, own }) {
    const row = `${operation}|${program.name}`;

    appendFileSync(RESULT, `${row}|${all}\n${row}, our code|${own}\n`);
}


/* fn() of both figures */
function map(fn, a, b) {
    return { all: fn(a.all, b.all), own: fn(a.own, b.own) };
}


test('broadcast', async () => {
    const publisher = await Client.connect(stack.base);
    const members = [];
    const counts = [];

    await publisher.join('room');

    for (const many of [10, 110]) {
        while (members.length < many) {
            const member = await Client.connect(stack.base);

            await member.join('room');
            members.push(member);
        }

        counts.push((await cost([worker], 400, async () => {
            publisher.push('room', 'hello', { body: 'x'.repeat(100) });
            await Promise.all([publisher, ...members].map(
                (client) => client.event('room', 'hello')));
        }))[0]);
    }

    const delivery = map((few, many) => (many - few) / 100, ...counts);

    report('delivery of a broadcast', worker, delivery);
    report('broadcast, beside its deliveries', worker,
           map((few, each) => few - 11 * each, counts[0], delivery));
    await Promise.all([publisher, ...members].map((client) => client.close()));
});


test('change', async () => {
    const live = await Live.open(stack.base, 'posts', 'room', '1001');
    const programs = [replicator, worker];

    const counts = await cost(programs, 400, async (i) => {
        await change(i);
        await live.next();
    });

    report('change of a row, with its refetch', replicator, counts[0]);
    report('event of a change', worker, counts[1]);
    await live.close();
});


/*
 * Changes a row while the replicator stands still, until all of the
 * transaction waits in its socket: so it is read at once, and a refetch sees
 * it at the first try.
 */
async function change(i) {
    await until(() => state(replicator.pid) == 'S',
                'kairos-replicator has nothing to do', LIMIT, 1);
    process.kill(replicator.pid, 'SIGSTOP');

    try {
        await until(() => state(replicator.pid) == 'T',
                    'kairos-replicator stands still', LIMIT, 1);
        await stack.sql('update posts set body = $1 where id = 3',
                        [`${i}`.padStart(100, 'x')]);
        await sent();

    } finally {
        process.kill(replicator.pid, 'SIGCONT');
    }
}


/* Waits until PostgreSQL has sent all that was committed. */
async function sent() {
    const [{ lsn }] = await stack.sql('select pg_current_wal_lsn() as lsn');

    await until(async () => (await stack.sql(
        'select from pg_stat_replication where sent_lsn >= $1', [lsn])).length,
        'the change was sent', LIMIT, 1);

    /* a keepalive follows what was sent */
    await until(async () => (await stack.sql(
        `select from pg_stat_activity where backend_type = 'walsender'
         and wait_event = 'WalSenderWaitForWAL'`)).length,
        'the walsender has nothing to send', LIMIT, 1);
}


/* "S": it sleeps; "T": it is stopped */
function state(pid) {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)[0];
}


test('subscribe', async () => {
    const client = await Client.connect(stack.base);

    await client.join('user:1', { userid: 'user:1' });

    const counts = await cost([replicator, worker], 100, async (i) => {
        const room = 1100 + i;
        const { status, response } = await client.call('user:1', 'subscribe',
            subscription('posts', 'room', `${room}`,
                         { query: `select * from posts where room = ${room}`,
                           userid: 'user:1' }));

        assert.equal(status, 'ok');
        assert.equal(response.rows.length, 3);
        await client.join(response.route_topics[0]);
    });

    report('subscribe and join', replicator, counts[0]);
    report('subscribe and join', worker, counts[1]);
    await client.close();
});
