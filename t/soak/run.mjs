/*
 * One run: writers write, clients come and go, something goes wrong again and
 * again; then all is quiet, and each client must have what its query returns.
 */

import { LIMIT, until } from '../e2e/lib/await.mjs';
import { Client } from '../e2e/lib/client.mjs';
import { startStack } from '../e2e/lib/stack.mjs';
import { SoakClient } from './client.mjs';
import { FAULTS } from './faults.mjs';
import { BULK, SETUP, marker, samples, subscription } from './queries.mjs';
import { Random } from './random.mjs';
import { PhoenixClient, SdkClient } from './real.mjs';
import { describe } from './report.mjs';
import { Writers } from './writers.mjs';


const SETTLE = 3 * LIMIT;       /* a view is right within, once it is quiet */
const ROUNDS = 20;              /* so often, as long as it is not */


/*
 *   fault     a name in FAULTS
 *   times     how often it is done, at least
 *   seconds   how long it goes on, at least
 *   clients   how many; the last are one of phoenix.js and one of the SDK
 *   bulk      rows of the largest transaction
 *   seed      of everything random
 *
 * Gives {fault, times, clients, commits, events, told, refused, lost, left,
 * diverged, report}.  left: what the server refused to serve.  diverged: how
 * many views do not have what their query returns; report says all about it.
 */
export async function run(options) {
    const soak = new Run({ times: 2, seconds: 0, clients: 14, bulk: 3000,
                           seed: 1, ...options });

    try {
        await soak.begin();
        await soak.act();
        return await soak.end();

    } finally {
        await soak.stop();
    }
}


class Run {
    constructor(options) {
        this.options = options;
        this.fault = FAULTS[options.fault];
        this.random = new Random(options.seed);
        this.clients = [];
        this.times = 0;
    }

    async begin() {
        const { directives = '', main = '' } = this.fault;

        this.stack = await startStack({ workers: 2, main, setup: SETUP,
            directives: `kairos_drain 300ms; ${directives}` });

        if (this.fault.setup) {
            await this.stack.sql(this.fault.setup(this.stack.database));
            await this.stack.sql('select pg_terminate_backend(active_pid)'
                                 + ' from pg_replication_slots where active');
        }

        this.left = await this.probe();
        await this.fault.prepare?.(this);
        await this.keepHistory();
        this.writers = new Writers(this.stack, this.random.fork(),
                                   { bulk: this.options.bulk });
    }

    /* What the server does not serve, with its reasons. */
    async probe() {
        const { stack } = this;
        const client = await Client.connect(stack.base, { name: 'the probe' });
        const left = new Map();

        await client.join('probe');

        for (const { what, payload } of samples(this.random.fork())) {
            const reply = await client.call('probe', 'subscribe', payload);

            if (reply.status != 'ok') {
                left.set(what, reply.response.reason);
            }
        }

        await client.close();
        return left;
    }

    /* A slot that nobody reads keeps the WAL: who wrote what, in order. */
    async keepHistory() {
        this.history = `${this.stack.database}_history`;
        await this.stack.sql('select pg_create_logical_replication_slot($1,'
                             + " 'wal2json')", [this.history]);
    }

    /* Clients come one after the other, until half of the time is over. */
    come() {
        const { base } = this.stack;
        const n = this.clients.length;
        const left = this.options.clients - n;
        const r = this.random.fork();
        const specs = [marker()];

        while (specs.length < 4) {
            const spec = subscription(r, this.left);

            /* one topic is joined once */
            if (specs.every(({ truth }) => truth != spec.truth)) {
                specs.push(spec);
            }
        }

        this.clients.push(left == 1 ? new SdkClient(base, r.below(10))
                          : left == 2 ? new PhoenixClient(base, specs)
                          : new SoakClient(base, specs, r));
    }

    async act() {
        const { times, seconds, clients } = this.options;
        const began = Date.now();

        this.step = (n = 30) => this.writers.progress(
            n, (fn, what) => until(fn, what, 3 * LIMIT));

        while (this.clients.length < clients / 2) {
            this.come();
        }

        await this.step();

        const people = this.live();

        try {
            while (this.times < times || Date.now() - began < seconds * 1000
                   || this.clients.length < clients)
            {
                await Promise.race([this.fault.do(this), people]);
                this.times++;
                await Promise.race([this.step(10 + this.random.below(40)),
                                    people]);
            }

        } finally {
            this.quiet = true;
        }

        await people;
    }

    /* What people do meanwhile. */
    async live() {
        while (!this.quiet) {
            await new Promise((resolve) => setTimeout(resolve, 60));

            if (this.clients.length < this.options.clients) {
                this.come();
            }

            if (this.random.once(3)) {
                this.random.of(this.clients).whim();
            }
        }
    }

    async end() {
        const { stack, writers, clients } = this;

        await writers.stop();
        await stack.sql(`delete from items where id >= ${BULK}`);

        const views = clients.flatMap((c) => c.views);
        const truths = await this.truths(views);
        const wrong = () => views.filter((view) => (
            !view.joined || view.compare(truths.get(view)).n != 0));

        await this.settle(views, wrong);

        /* and stay so: nothing of what is under way changes them */

        if (wrong().length == 0) {
            await this.mark(views);
        }

        const diverged = wrong();
        const hung = clients.flatMap((c) => c.hung);

        return { fault: this.options.fault, times: this.times,
                 clients: clients.length, views: views.length,
                 commits: writers.commits,
                 events: sum(views.map((v) => v.events)),
                 told: sum(clients.map((c) => c.told)),
                 lost: sum(clients.map((c) => c.lost)),
                 refused: this.refusals(), left: this.left,
                 diverged: diverged.length, hung: hung.length,
                 report: await describe(this, diverged, truths, hung) };
    }

    /*
     * Waits as long as something comes, or the stream is read on: after a
     * night of crashes there is much to read.
     */
    async settle(views, wrong) {
        const read = async () => (await this.stack.sql(
            'select confirmed_flush_lsn, sent_lsn from pg_replication_slots'
            + ' left join pg_stat_replication on pid = active_pid'
            + ' where slot_name = $1', [this.stack.slot]))
            .map((row) => Object.values(row)).join();
        let seen = '', progress = true;

        for (let i = 0; i < ROUNDS && wrong().length != 0 && progress; i++) {
            await until(() => wrong().length == 0, 'all views are right',
                        SETTLE).catch(() => {});

            const now = `${sum(views.map((v) => v.events))} ${await read()}`;

            progress = now != seen;
            seen = now;
        }
    }

    /* What each view's query returns: Map of key and row, by view. */
    async truths(views) {
        const truths = new Map();

        for (const view of views) {
            const rows = await this.stack.sql(
                `select row_to_json(q)::text as row from (${view.spec.truth})`
                + ' q');

            truths.set(view, new Map(rows.map(({ row }) => {
                const parsed = JSON.parse(row);

                return [view.keyOf(parsed), JSON.stringify(parsed)];
            })));
        }

        return truths;
    }

    async mark(views) {
        const markers = views.filter((view) => view.spec.table == 'marks');

        await this.stack.sql('insert into marks values (1, 0)');
        await until(() => markers.every((view) => view.rows.has('1')),
                    'the marker has come to all', SETTLE).catch(() => {});

        for (const view of markers) {
            view.rows.delete('1');
        }

        await Promise.all(this.clients.map((c) => c.heartbeat()));
    }

    refusals() {
        const all = new Map();

        for (const { refused } of this.clients) {
            for (const [reason, n] of refused) {
                all.set(reason, (all.get(reason) ?? 0) + n);
            }
        }

        return all;
    }

    async stop() {
        this.quiet = true;
        await this.writers?.stop().catch(() => {});
        await Promise.all(this.clients.map((c) => c.stop()));

        if (this.history && !this.stack.postgres.process.exited) {
            await this.stack.sql('select pg_drop_replication_slot($1)',
                                 [this.history]).catch(() => {});
        }

        await this.stack?.stop();
    }
}


function sum(numbers) {
    return numbers.reduce((a, b) => a + b, 0);
}
