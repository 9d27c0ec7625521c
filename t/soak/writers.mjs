/*
 * Those who write, all in the same rows: single statements and large
 * transactions, to the end, undone in part or as a whole.
 */

import { BULK, BULK_OWNER, KEYS, STATES, day, time, uuid, word }
    from './queries.mjs';


const LOG_MAX = 100000;         /* transactions; older ones are forgotten */


export class Writers {
    /* bulk: rows of the largest transaction */
    constructor(stack, random, { n = 3, bulk = 3000 } = {}) {
        this.stack = stack;
        this.bulk = bulk;
        this.commits = 0;
        this.failed = 0;
        this.log = new Map();
        this.unnamed = 0;
        this.over = false;
        this.idle = 0;          /* how many are paused */
        this.all = Array.from({ length: n }, () => this.write(random.fork()));
    }

    async stop() {
        this.over = true;
        this.resume();
        await Promise.all(this.all);
    }

    /* Waits until none of them is within a transaction. */
    async pause(until) {
        this.idle = 0;
        this.paused = new Promise((resolve) => { this.release = resolve; });

        await until(() => this.idle == this.all.length, 'all writers rest');
    }

    resume() {
        this.paused = undefined;
        this.release?.();
    }

    /* Waits until n more transactions were committed. */
    async progress(n, until) {
        const from = this.commits;

        await until(() => this.commits >= from + n,
                    `${n} more transactions are committed`);
    }

    async write(r) {
        let client;

        while (!this.over) {
            if (this.paused) {
                this.idle++;
                await this.paused;
                continue;
            }

            try {
                client ??= await this.connect();
                await this.transaction(client, r);

            } catch (err) {
                if (!lost(err)) {
                    throw err;
                }

                /* PostgreSQL is away */
                client?.end().catch(() => {});
                client = undefined;
                await new Promise((resolve) => setTimeout(resolve, 50));
            }
        }

        await client?.end().catch(() => {});
    }

    async connect() {
        const client = this.stack.postgres.client(this.stack.database);

        client.on('error', () => {});
        await client.connect();
        await client.query("set deadlock_timeout = '20ms';"
                           + " set lock_timeout = '5s'");
        return client;
    }

    /*
     * What is logged: xid, statements, and how it ended; "?" if the
     * connection was lost at its commit.
     */
    async transaction(client, r) {
        const entry = { at: Date.now(), statements: [], end: '?' };
        const run = async (sql) => {
            entry.statements.push(sql);
            await client.query(sql);
        };

        await client.query('begin');

        try {
            for (const sql of this.statements(r)) {
                await run(sql);
            }

            const { rows: [{ xid }] } = await client.query(
                'select pg_current_xact_id_if_assigned()::text as xid');

            this.note(xid, entry);

            if (r.once(10)) {
                await client.query('rollback');
                entry.end = 'rolled back';
                return;
            }

            await client.query('commit');
            entry.end = 'committed';
            this.commits += xid != null;

        } catch (err) {
            if (lost(err)) {
                throw err;
            }

            /* a key is taken, a deadlock */
            entry.end = `failed: ${err.message}`;
            this.failed++;
            await client.query('rollback');
        }
    }

    note(xid, entry) {
        this.log.set(xid ?? `none ${++this.unnamed}`, entry);

        if (this.log.size > LOG_MAX) {
            this.log.delete(this.log.keys().next().value);
        }
    }

    statements(r) {
        if (r.once(60)) {
            return this.large(r);
        }

        if (r.once(250)) {
            return [`truncate ${r.of(['items', 'parts', 'owners',
                                      'items, parts'])}`,
                    ...r.once(2) ? [r.of(KINDS)(r), r.of(KINDS)(r)] : []];
        }

        const list = Array.from({ length: r.once(4) ? 2 + r.below(10) : 1 },
                                () => r.of(KINDS)(r));

        if (r.once(6)) {
            list.push('savepoint s', r.of(KINDS)(r), r.of(KINDS)(r),
                      r.once(2) ? 'rollback to s' : 'release s',
                      r.of(KINDS)(r));
        }

        return list;
    }

    /*
     * Many rows.  The largest are of an owner and a state that few ask for,
     * or the test would measure how fast its own clients read.
     */
    large(r) {
        const n = r.size(this.bulk);
        const begin = BULK + 200000 * r.below(5);
        const owner = n > 500 ? BULK_OWNER : 'i % 10';
        const state = n > 500 ? "'bulk'" : "'open'";
        const insert = 'insert into items (id, code, owner, state, n)'
                       + ` select ${begin} + i, 'b' || ${begin} + i,`
                       + ` ${owner}, ${state}, -5`
                       + ` from generate_series(1, ${n}) i`
                       + ' on conflict do nothing';
        const remove = `delete from items where id >= ${BULK}`;

        return r.of([[insert], [remove, insert], [insert, remove], [remove],
                     [`update items set n = n - 1 where id >= ${BULK}`],
                     [insert, `update items set owner = ${r.below(10)}`
                              + ` where id between ${begin} and`
                              + ` ${begin + r.below(50)}`]]);
    }
}


const key = (r) => r.below(KEYS);
const owner = (r) => (r.once(12) ? 'null' : r.below(10));
const region = (r) => `'${r.of(['a', 'b', 'c'])}'`;

function columns(r) {
    return `${owner(r)}, '${r.of(STATES)}', ${r.below(100)},`
           + ` ${r.once(8) ? 'null' : `${r.below(100)}.${10 + r.below(90)}`},`
           + ` ${r.once(8) ? 'null' : `'${word(r, 1 + r.below(5))}'`},`
           + ` '${time(r)}', ${body(r)}, ${r.of(['true', 'false', 'null'])},`
           + ` '${day(r)}', '${uuid(r)}', ${r.below(17) / 4}`;
}

/* some are stored out of line, and their updates leave them out */
function body(r) {
    return r.once(10)
           ? "(select string_agg(md5(random()::text), '')"
             + ' from generate_series(1, 150))'
           : `'${word(r, 4)}'`;
}

const INSERT = 'insert into items (id, code, owner, state, n, price, tag, at,'
               + ' body, flag, day, ref, ratio)';

const KINDS = [
    (r, id = key(r)) => `${INSERT} values (${id}, 'c${id}', ${columns(r)})`
                        + ' on conflict do nothing',
    (r, id = key(r)) => `${INSERT} values (${id}, 'c${id}', ${columns(r)})`
                        + ' on conflict do nothing',
    (r, id = key(r)) => `${INSERT} select ${id} + i, 'c' || ${id} + i,`
                        + ` ${columns(r)} from generate_series(0, 9) i`
                        + ' on conflict do nothing',
    (r, id = key(r)) => `${INSERT} values (${id}, 'c${id}', ${columns(r)})`
                        + ' on conflict (id) do update set n = items.n + 1',
    (r) => `update items set n = ${r.below(100)} where id = ${key(r)}`,
    (r) => `update items set owner = ${owner(r)} where id = ${key(r)}`,
    (r) => `update items set state = '${r.of(STATES)}' where id = ${key(r)}`,
    (r) => `update items set tag = '${word(r, 3)}', at = '${time(r)}'`
           + ` where id = ${key(r)}`,
    (r) => `update items set price = ${r.below(100)}, body = ${body(r)}`
           + ` where id = ${key(r)}`,
    (r) => `update items set flag = not flag, day = '${day(r)}'`
           + ` where id = ${key(r)}`,
    (r) => `update items set ref = '${uuid(r)}', ratio = ${r.below(17) / 4}`
           + ` where id = ${key(r)}`,
    (r) => `update items set owner = ${owner(r)}, n = n + 1`
           + ` where id between ${key(r)} and ${key(r)}`,
    (r, id = key(r)) => `update items set id = ${id} where id = ${key(r)}`
                        + ` and not exists (select from items where`
                        + ` id = ${id})`,
    (r) => `update items set code = code || 'x' where id = ${key(r)}`,
    (r) => `delete from items where id = ${key(r)}`,
    (r, id = key(r)) => `delete from items where id between ${id} and`
                        + ` ${id + r.below(10)}`,
    (r) => `update owners set name = '${word(r, 3)}${r.below(20)}'`
           + ` where id = ${r.below(10)}`,
    (r) => `insert into owners values (${r.below(10)}, '${word(r, 2)}')`
           + ' on conflict do nothing',
    (r) => `update owners set name = 'o1' where id = ${r.below(10)}`,
    (r) => r.once(4) ? `delete from owners where id = ${r.below(10)}`
                     : `insert into owners values (${r.below(10)}, 'o1')`
                       + ' on conflict do nothing',
    (r) => `insert into parts values (${region(r)}, ${r.below(60)},`
           + ` ${r.below(10)}, ${r.below(100)}) on conflict do nothing`,
    (r) => `insert into parts select ${region(r)}, i, ${r.below(10)}, i`
           + ` from generate_series(0, 20) i on conflict do nothing`,
    (r) => `update parts set n = ${r.below(100)}, owner = ${r.below(10)}`
           + ` where region = ${region(r)} and id = ${r.below(60)}`,
    (r, to = region(r), id = r.below(60)) => `update parts set region = ${to}`
           + ` where region = ${region(r)} and id = ${id} and not exists`
           + ` (select from parts where region = ${to} and id = ${id})`,
    (r) => `delete from parts where id = ${r.below(60)}`,
];


/* Whether an error says that the connection, or the server, is away. */
export function lost(err) {
    return /^(57P0|08|E[A-Z]+$)/.test(err.code ?? '')
           || /terminat|not queryable|closed/i.test(err.message);
}
