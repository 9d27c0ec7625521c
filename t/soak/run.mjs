/*
 * One run: writers write, clients come and go, something goes wrong again and
 * again; then all is quiet, and each client must have what its query returns.
 */

import { LIMIT, until } from '../e2e/lib/await.mjs';
import { Client } from '../e2e/lib/client.mjs';
import { startStack } from '../e2e/lib/stack.mjs';
import { SoakClient } from './client.mjs';
import { FAULTS } from './faults.mjs';
import { BULK, EMPTY, FILL, SETUP, marker, samples, subscription }
    from './queries.mjs';
import { Random } from './random.mjs';
import { PhoenixClient, SdkClient } from './real.mjs';
import { describe } from './report.mjs';
import { Writers } from './writers.mjs';


const SETTLE = 3 * LIMIT;       /* a view is right within, once it is quiet */
const ROUNDS = 20;              /* so often, as long as it is not */
const STEADY = 4;               /* each fourth client stays where it is */
const REST = 8000;              /* ms; so often all must be right meanwhile */


/*
 *   fault     a name in FAULTS
 *   times     how often it is done, at least
 *   seconds   how long it goes on, at least
 *   clients   how many; the last are one of phoenix.js and one of the SDK
 *   bulk      rows of the largest transaction
 *   seed      of everything random
 *   bursts    how often all must be right in the end, after some changes
 *   settle    ms after which a view that is not right and hears nothing is
 *             not going to be
 *   drop(view, row, stage)  true: the view does not apply this row
 *
 * Gives {fault, times, clients, views, commits, events, told, refused, lost,
 * left, diverged, report}.  left: what the server refused to serve.
 * diverged: how many views do not have what their query returns, or were not
 * told how it came to be; report says all about it.
 */
export async function run(options) {
    const soak = new Run({ times: 2, seconds: 0, clients: 14, bulk: 3000,
                           seed: 1, bursts: 2, settle: SETTLE, ...options });

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
        this.coming = [];
        this.times = 0;
        this.stage = 'soak';
        this.bad = 0;           /* how many views are wrong at its end */
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
        await this.invite();
        this.prepared = true;
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

    /* What each client will ask for; the last two are others'. */
    async invite() {
        while (this.coming.length < this.options.clients) {
            const r = this.random.fork();
            const specs = [marker()];

            while (specs.length < 4) {
                const spec = subscription(r, this.left);

                /* one topic is joined once */
                if (specs.every(({ truth }) => truth != spec.truth)
                    && await this.heard(spec))
                {
                    specs.push(spec);
                }
            }

            this.coming.push({ specs, r });
        }
    }

    /* Whether what is written in the end must be heard of. */
    async heard({ truth }) {
        const [a, b] = await Promise.all(['nothing', 'sample'].map(
            async (schema) => (await this.stack.pool.query(
                `begin; set local search_path = ${schema};`
                + ` ${truth}; commit`))[2].rows));

        return JSON.stringify(a) != JSON.stringify(b);
    }

    /* Clients come one after the other, until half of the time is over. */
    come() {
        const { base } = this.stack;
        const { drop } = this.options;
        const n = this.clients.length;
        const left = this.coming.length - n;
        const { specs, r } = this.coming[n];
        const client = left == 1 ? new SdkClient(base, r.below(10))
                       : left == 2 ? new PhoenixClient(base, specs)
                       : new SoakClient(base, specs, r);

        client.steady = n % STEADY == 0;
        this.clients.push(client);

        for (const view of client.views) {
            view.drop = drop && ((row) => drop(view, row, this.stage));
        }
    }

    async act() {
        const { times, seconds, clients } = this.options;
        const began = Date.now();
        let rested = began;

        this.step = (n = 30) => this.writers.progress(n, patiently);

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

                if (Date.now() - rested > REST) {
                    if (await Promise.race([this.rest(), people])) {
                        break;
                    }

                    rested = Date.now();
                }
            }

        } finally {
            this.quiet = true;
        }

        await people;
    }

    /*
     * What a view misses may come with the next change: now and then nobody
     * writes until all are right.  Gives how many are not.
     */
    async rest() {
        this.still = true;
        await this.writers.pause(patiently);

        this.bad = await this.check(
            'rest', `delete from items where id >= ${BULK}`);

        if (!this.bad) {
            this.still = false;
            this.writers.resume();
        }

        return this.bad;
    }

    /* What people do meanwhile. */
    async live() {
        while (!this.quiet) {
            await new Promise((resolve) => setTimeout(resolve, 60));

            if (this.still) {
                continue;
            }

            if (this.clients.length < this.options.clients) {
                this.come();
            }

            const client = this.random.of(this.clients);

            if (this.random.once(3) && !client.steady) {
                client.whim();
            }
        }
    }

    async end() {
        const { writers, clients } = this;
        const views = clients.flatMap((c) => c.views);

        for (let i = 0; i < this.options.bursts && !this.bad; i++) {
            if (!await this.rest()) {
                await this.step(5);
            }
        }

        await writers.stop();

        for (const [stage, sql] of [
            ['quiet', `delete from items where id >= ${BULK}`],
            ['empty', EMPTY], ['full', FILL]])
        {
            this.bad ||= await this.check(stage, sql);
        }

        /* and stay so: nothing of what is under way changes them */

        if (!this.bad) {
            await this.mark(views);
        }

        const diverged = this.wrong(views);
        const hung = clients.flatMap((c) => c.hung);

        return { fault: this.options.fault, times: this.times,
                 clients: clients.length, views: views.length,
                 commits: writers.commits,
                 events: sum(views.map((v) => v.events)),
                 told: sum(clients.map((c) => c.told)),
                 lost: sum(clients.map((c) => c.lost)),
                 refused: this.refusals(), left: this.left,
                 diverged: diverged.length, hung: hung.length,
                 report: await describe(this, diverged, hung) };
    }

    async check(stage, sql) {
        const views = this.clients.flatMap((c) => c.views);

        this.stage = stage;
        views.forEach((view) => { view.heard = 0; });
        await this.stack.sql(sql);

        return this.settle(views);
    }

    /*
     * A view is wrong, however right, that did not hear of the last rows, or
     * once got what is another's.
     */
    wrong(views) {
        return views.filter((view) => (
            !view.joined || view.strays.length != 0
            || view.compare(this.truths.get(view)).n != 0
            || (this.stage == 'full' && view.heard == 0
                && view.spec.table != 'marks')));
    }

    /*
     * Waits as long as something comes, or the stream is read on: after a
     * night of crashes there is much to read.  Gives how many are wrong.
     */
    async settle(views) {
        const wrong = () => this.wrong(views).length;
        const [{ end }] = await this.stack.sql(
            'select pg_current_wal_lsn() as end');
        const read = async () => (await this.stack.sql(
            'select least(confirmed_flush_lsn, $2) as confirmed,'
            + ' least(sent_lsn, $2) as sent'
            + ' from pg_replication_slots'
            + ' left join pg_stat_replication on pid = active_pid'
            + ' where slot_name = $1', [this.stack.slot, end]))
            .map((row) => Object.values(row)).join();
        let seen = '', progress = true;

        this.truths = await this.truthsOf(views);

        for (let i = 0; i < ROUNDS && wrong() != 0 && progress; i++) {
            await until(() => wrong() == 0, 'all views are right',
                        this.options.settle).catch(() => {});

            const now = `${sum(views.map((v) => v.events))} ${await read()}`;

            progress = now != seen;
            seen = now;
        }

        return wrong();
    }

    /* What each view's query returns: Map of key and row, by view. */
    async truthsOf(views) {
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
        await (this.prepared && this.fault.mend?.(this));
        await this.writers?.stop().catch(() => {});
        await Promise.all(this.clients.map((c) => c.stop()));

        if (this.history && !this.stack.postgres.process.exited) {
            await this.stack.sql('select pg_drop_replication_slot($1)',
                                 [this.history]).catch(() => {});
        }

        await this.stack?.stop();
    }
}


function patiently(fn, what) {
    return until(fn, what, 3 * LIMIT);
}


function sum(numbers) {
    return numbers.reduce((a, b) => a + b, 0);
}
