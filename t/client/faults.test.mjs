/*
 * After each fault of the server the rows of a client are true again without
 * help of the page, and they are never gone meanwhile.  The server follows the
 * first of three queries row by row, and runs the others, a window and groups,
 * as a whole.
 */

import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';

import { LIMIT, until } from '../e2e/lib/await.mjs';
import { startStack } from '../e2e/lib/stack.mjs';
import { Sql, becomes, connect, ready } from './lib/package.mjs';


const GRACE_S = 2;
const CONVERGED = LIMIT * 1.5;

const QUERIES = [
    'select id, f, v from %',
    'select id, f, v from % order by v desc, id limit 3',
    'select f as id, count(*)::int as n, sum(v)::int as s from % group by f',
];

let stack, tables = 0;

before(async () => {
    stack = await startStack({
        workers: 2, directives: 'kairos_drain 300ms;',
        env: { KAIROS_ROUTE_GRACE: `${GRACE_S}s` } });
});

after(() => stack?.stop());


class Watch {
    static async start(t) {
        const watch = new Watch();

        watch.table = `t${++tables}`;
        await stack.sql(watch.made());
        await watch.write(1, 5);

        const kairos = connect(t, stack);

        watch.lives = QUERIES.map((query) => kairos.live(
            new Sql(query.replace('%', watch.table)),
            { field: 'f', value: 1 }));

        t.after(revive);
        await Promise.all(watch.lives.map(ready));
        await watch.converges();

        /* the states from now on; without rows it is "empty" */
        watch.seen = watch.lives.map(() => new Set());
        watch.lives.forEach((live, i) => {
            live.subscribe(({ rows, status }) => {
                watch.seen[i].add(rows.length ? status : 'empty');
            });
        });

        return watch;
    }

    made() {
        return `create table ${this.table} (id int primary key, f int, v int,
                                            unused text);
                alter table ${this.table} replica identity full;
                grant select on ${this.table} to public;`;
    }

    write(from, to) {
        return stack.sql(`insert into ${this.table} select n, 1, n % 7
                          from generate_series(${from}, ${to}) n`);
    }

    async converges(what = 'the rows converge') {
        for (const [i, live] of this.lives.entries()) {
            let there;

            const here = () => JSON.stringify([...live.rows].sort(
                (a, b) => a.id - b.id));

            await until(async () => {
                const rows = await stack.sql(
                    'select row_to_json(q)::text as row from'
                    + ` (${QUERIES[i].replace('%', this.table)}) q`);

                there = JSON.stringify(rows.map((r) => JSON.parse(r.row))
                                           .sort((a, b) => a.id - b.id));
                return live.status == 'live' && here() == there;
            }, () => `${what}: ${QUERIES[i]}: ${live.status}`
                     + ` ${live.error?.message}: ${here()} ${there}`,
            CONVERGED);
        }
    }

    /* Checks after the end of a fault that the rows are true and go on. */
    async survives() {
        await this.converges();
        await this.write(100, 102);
        await this.converges('what is written after it comes');
        await stack.sql(`delete from ${this.table} where id in (2, 101)`);
        await this.converges('what is deleted after it goes');

        for (const seen of this.seen) {
            assert.ok(!seen.has('empty'), 'the rows were gone');
            assert.ok(!seen.has('refused'), 'it was refused');
        }
    }
}


/* A test that failed in the middle leaves the others a whole stack. */
async function revive() {
    if (stack.nginx.process.exited) {
        await stack.nginx.start();
    }

    if (!stack.replicator.wanted) {
        await stack.replicator.start();
    }
}


/* Ends the connection that reads the slot, as often as the reader returns. */
function dropSlot() {
    return until(async () => {
        await stack.sql('select pg_terminate_backend(active_pid)'
                        + ' from pg_replication_slots'
                        + ' where slot_name = $1 and active', [stack.slot]);

        return stack.sql('select pg_drop_replication_slot($1)', [stack.slot])
               .then(() => true, () => false);
    }, 'the slot is dropped', LIMIT, 1);
}


function stale(watch) {
    return Promise.all(watch.lives.map((live) => becomes(
        live, (u) => u.status == 'stale', 'it is stale')));
}


describe('rows stay true over', () => {
    for (const signal of ['SIGTERM', 'SIGKILL']) {
        test(`a replicator that ended by ${signal}`, async (t) => {
            const watch = await Watch.start(t);

            await stack.replicator.kill(signal);
            await watch.write(6, 7);
            await stack.sql(`delete from ${watch.table} where id = 1`);
            await stack.replicator.start();
            await watch.survives();
        });
    }

    test('a reload of nginx', async (t) => {
        const watch = await Watch.start(t);

        await stack.nginx.reload();
        await watch.write(6, 7);
        await watch.survives();
    });

    test('a killed worker', async (t) => {
        const watch = await Watch.start(t);

        for (const pid of stack.nginx.workers()) {
            await stack.nginx.killWorker(pid);
        }

        await watch.write(6, 7);
        await stack.connected();
        await watch.survives();
    });

    test('nginx away for a moment', async (t) => {
        const watch = await Watch.start(t);
        const isStale = stale(watch);

        await stack.nginx.stop();
        await isStale;
        await watch.write(6, 7);
        await stack.nginx.start();
        await stack.connected();
        await watch.survives();
    });

    test('an absence that is longer than routes are known', async (t) => {
        const watch = await Watch.start(t);

        await stack.nginx.stop();
        await stack.sql(`delete from ${watch.table} where id = 1`);
        await delay(GRACE_S * 1000 + 500);
        await stack.nginx.start();
        await stack.connected();
        await watch.survives();
    });

    test('nginx and the replicator stopped together', async (t) => {
        const watch = await Watch.start(t);

        await stack.nginx.stop();
        await stack.replicator.kill();
        await stack.sql(`delete from ${watch.table} where id = 1`);
        await stack.nginx.start();
        await stack.replicator.start();
        await watch.survives();
    });

    test('a column that is dropped', async (t) => {
        const watch = await Watch.start(t);

        await stack.sql(`alter table ${watch.table} drop column unused`);
        await watch.write(6, 7);
        await watch.survives();
    });

    test('a TRUNCATE of many rows', async (t) => {
        const watch = await Watch.start(t);

        /* more than the server holds of it */
        await watch.write(1000, 12000);
        await watch.converges('many rows');
        await stack.sql(`begin; truncate ${watch.table};
                         insert into ${watch.table} values (2, 1, 3);
                         commit`);
        await watch.survives();
    });

    test('a slot that is dropped', async (t) => {
        const watch = await Watch.start(t);

        await stack.replicator.stop();
        await dropSlot();
        await stack.sql(`delete from ${watch.table} where id = 1`);
        await stack.replicator.start();
        await watch.survives();
    });

    test('a slot that is dropped under the replicator', async (t) => {
        const watch = await Watch.start(t);

        await dropSlot();
        await stack.sql(`delete from ${watch.table} where id = 1`);
        await watch.survives();
    });

    test('PostgreSQL ended at once', async (t) => {
        const watch = await Watch.start(t);

        await stack.postgres.restart('immediate');
        await watch.write(6, 7);
        await watch.survives();
    });
});
