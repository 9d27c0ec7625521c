/*
 * What goes wrong.  Each fault is done once by do(), and mended by it; it is
 * repeated by run.mjs while clients come and go and writers write.
 *
 *     directives, main, setup  of the stack
 *     prepare(run)             before the first client comes
 *     do(run)                  run: {stack, clients, writers, random, step()}
 *     mend(run)                when all is over
 */

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, unlinkSync }
    from 'node:fs';
import { join } from 'node:path';

import { LIMIT, until, within } from '../e2e/lib/await.mjs';
import { IS_ROOT, start } from '../e2e/lib/processes.mjs';
import { daemonize, replaceBinary } from './binary.mjs';
import { BULK, BULK_OWNER } from './queries.mjs';


const WAL_TIMEOUT = 1000;       /* ms, of a walsender */
const SPARE = 6 << 20;          /* bytes that the replicator may still take */
const STANDBY = 'kairos_soak_standby';


export const FAULTS = {
    'none': {
        do: ({ step }) => step(),
    },

    'replicator killed': {
        async do({ stack, step }) {
            await stack.replicator.kill();
            await step(20);
            await stack.replicator.start();
        },
    },

    'worker killed': {
        async do({ stack, random }) {
            await stack.nginx.killWorker(random.of(stack.nginx.workers()));
        },
    },

    'PostgreSQL restarted (fast)': {
        do: (run) => restart(run, 'fast'),
    },

    'PostgreSQL restarted (immediate)': {
        do: (run) => restart(run, 'immediate'),
    },

    'walsender terminated': {
        async do({ stack, step }) {
            await stack.sql('select pg_terminate_backend(active_pid)'
                            + ' from pg_replication_slots'
                            + ' where slot_name = $1 and active',
                            [stack.slot]);
            await step(10);
        },
    },

    'pool terminated': {
        async do({ stack, step }) {
            await stack.sql(
                'select pg_terminate_backend(pid) from pg_stat_activity'
                + " where application_name = 'kairos-replicator'"
                + " and backend_type = 'client backend'"
                + ' and datname = current_database()');
            await step(10);
        },
    },

    'nginx reloaded': {
        do: ({ stack }) => stack.nginx.reload(),
    },

    'nginx replaced': {
        /* the new binary gets no other variables */
        main: 'env ASAN_OPTIONS; env LSAN_OPTIONS; env UBSAN_OPTIONS;',
        prepare: ({ stack }) => daemonize(stack),
        do: ({ stack }) => replaceBinary(stack),
    },

    'socket removed': {
        async do({ stack, step, random }) {
            unlinkSync(stack.socket);

            /* whoever is new finds no replicator */
            await (random.once(2)
                   ? stack.nginx.reload()
                   : stack.nginx.killWorker(random.of(stack.nginx.workers())));
            await step(20);
            await stack.replicator.stop();
            await stack.replicator.start();
        },
    },

    'memory limited': {
        sanitized: false,       /* a sanitizer takes all the address space */
        do: limitMemory,
    },

    'client stops reading': {
        directives: 'kairos_queue_size 128k;',
        async do({ stack, clients, random, step }) {
            const resume = random.some(clients, 3).map((c) => c.pause());

            await flood(stack, 3000, 'i % 10');
            await step(10);
            resume.forEach((go) => go());
        },
    },

    'replicator stopped': {
        setup: (database) => `alter database ${database}
                              set wal_sender_timeout = ${WAL_TIMEOUT}`,
        async do({ stack, step }) {
            const { pid } = stack.replicator;
            const reads = async () => (await stack.sql(
                'select from pg_replication_slots'
                + ' where slot_name = $1 and active', [stack.slot])).length;

            process.kill(pid, 'SIGSTOP');

            try {
                await until(async () => !await reads(),
                            'the walsender has given up', 5 * WAL_TIMEOUT)
                    .catch(() => {});
                await step(10);

            } finally {
                process.kill(pid, 'SIGCONT');
            }

            await stack.streaming();
        },
    },

    /* their transactions are in the stream long before anybody sees them */
    'commits wait for a standby': {
        prepare: follow,
        mend: unfollow,
        do: ({ step }) => step(),
    },

    'two at once': {
        do: (run) => Promise.all(run.random.of(PAIRS)
                                 .map((name) => FAULTS[name].do(run))),
    },
};

/* none of the two needs what the other takes away */
const PAIRS = [
    ['replicator killed', 'worker killed'],
    ['replicator killed', 'nginx reloaded'],
    ['replicator killed', 'PostgreSQL restarted (fast)'],
    ['replicator killed', 'PostgreSQL restarted (immediate)'],
    ['PostgreSQL restarted (immediate)', 'worker killed'],
    ['PostgreSQL restarted (immediate)', 'nginx reloaded'],
    ['walsender terminated', 'pool terminated'],
    ['pool terminated', 'worker killed'],
    ['walsender terminated', 'nginx reloaded'],
];


async function restart({ stack, step }, mode) {
    await stack.postgres.restart(mode);
    await stack.streaming();
    await step(10);
}


/* What a synchronous standby does, as far as it is waited for. */
async function follow(run) {
    const { postgres, dir } = run.stack;
    const folder = join(dir, 'standby');

    mkdirSync(folder);

    run.standby = start('pg_receivewal', [
        '-D', folder, '--synchronous', '--no-password', '-d',
        `host=127.0.0.1 port=${postgres.port} user=postgres`
        + ` application_name=${STANDBY}`], {});

    await run.stack.sql(`alter system set synchronous_standby_names to`
                        + ` '${STANDBY}'`);
    await run.stack.sql('select pg_reload_conf()');
    await until(async () => (await run.stack.sql(
        'select from pg_stat_replication where application_name = $1'
        + " and sync_state = 'sync'", [STANDBY])).length,
                'the standby is synchronous');

    run.falter = falter(run.standby, run.random.fork());
}


/* Now it answers at once, now it does not. */
async function falter(standby, random) {
    while (!standby.over) {
        process.kill(standby.pid, 'SIGSTOP');
        await pause(random.below(60));
        process.kill(standby.pid, 'SIGCONT');
        await pause(random.below(60));
    }
}


/* First the server, or who writes waits for ever. */
async function unfollow({ stack, standby, falter }) {
    await stack.sql('alter system reset synchronous_standby_names');
    await stack.sql('select pg_reload_conf()');

    if (standby) {
        standby.over = true;
        await falter;
        await standby.kill('SIGTERM', 'the standby');
    }
}


/* how long it lasts, not what is awaited */
function pause(ms) {
    return new Promise((resolve) => setTimeout(resolve, ms));
}


/*
 * The replicator gets hardly more memory than it has, and a transaction that
 * needs more.  It may end; then it is started anew, as systemd does it.
 */
async function limitMemory({ stack, step }) {
    const { replicator } = stack;
    const { pid, process: running } = replicator;
    const size = 1024 * Number(/^VmSize:\s+(\d+)/m.exec(
        readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);

    limit(pid, size + SPARE);

    const written = flood(stack, 30000, BULK_OWNER).then(
        () => flood(stack, 10000, 'i % 10')).then(() => step(20));

    await Promise.race([written, running.exit]);

    if (running.exited) {
        if (running.signal != null) {
            throw new Error('the replicator crashed for lack of memory: '
                            + `${running.signal}\n${running.output}`);
        }

        replicator.wanted = false;
        await replicator.start();

    } else if (existsSync(`/proc/${pid}`)) {
        limit(pid, 'unlimited');
    }

    await within(written, 'the transactions that need memory', 6 * LIMIT);
}


/* Only the process's own user may, and root only with a capability. */
function limit(pid, bytes) {
    const { uid, gid } = statSync(`/proc/${pid}`);

    execFileSync('setpriv', [
        ...IS_ROOT ? [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups']
                   : [],
        'prlimit', '--pid', `${pid}`, `--as=${bytes}:`]);
}


/* A transaction of many rows, and one that takes them away. */
async function flood(stack, n, owner) {
    await stack.sql(`
        insert into items (id, code, owner, state, n, body)
            select ${2 * BULK} + i, 'f' || i, ${owner}, 'bulk', -5,
                   repeat('flood', 20)
            from generate_series(1, ${n}) i
            on conflict do nothing`);
    await stack.sql(`delete from items where id >= ${2 * BULK}`);
}
