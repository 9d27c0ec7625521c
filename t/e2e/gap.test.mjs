/*
 * Neither a gap nor a double between a snapshot and the events after it,
 * however many write meanwhile and however late the route is joined.
 */

import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';

import { LIMIT, until } from './lib/await.mjs';
import { Live } from './lib/live.mjs';
import { startStack } from './lib/stack.mjs';


const SELECT = 'select id, owner, state, n from items';

let stack;
let owner = 0;

before(async () => {
    stack = await startStack({ workers: 2, setup: `
        create table items (id bigint primary key, owner int, state text,
                            n int);
        alter table items replica identity full;` });
});

after(() => stack?.stop());

beforeEach(() => {
    owner += 10;
});


function open(t, value, more = {}, join = true) {
    return Live.open(stack.base, 'items', 'owner', value,
                     { query: SELECT, ...more }, join).then((live) => {
        t.after(() => live.client.ws.terminate());
        return live;
    });
}


/*
 * A writer in its own range of keys: inserts, updates, moves to another
 * owner and back, changes keys, deletes; some transactions have many rows,
 * some are rolled back.  The same seed writes the same.
 */
async function write(seed, goesOn) {
    const client = stack.postgres.client(stack.database);
    let state = seed;

    const random = (n) => {
        state = (state * 1103515245 + 12345) % 2147483648;
        return Math.floor(state / 65536) % n;
    };
    const key = () => seed * 1000000 + random(40);
    const kinds = [
        () => `insert into items values (${key()}, ${owner}, 'open', 0)
               on conflict (id) do update set n = items.n + 1`,
        () => `insert into items values (${key()}, ${owner}, 'open', 0)
               on conflict do nothing`,
        () => `update items set n = n + 1 where id = ${key()}`,
        () => `update items set owner = ${owner + random(3)}
               where id = ${key()}`,
        () => `update items set state = '${random(2) ? 'open' : 'done'}'
               where id = ${key()}`,
        () => `update items set id = ${seed * 1000000 + 40 + random(40)}
               where id = ${key()} and not exists (select from items
               where id >= ${seed * 1000000 + 40}
               and id < ${seed * 1000000 + 80})`,
        () => `delete from items where id = ${key()}`,
    ];

    await client.connect();

    try {
        for (let i = 0; i < 100000 && goesOn(i); i++) {
            const statements = [];

            for (let n = random(4) == 0 ? 1 + random(12) : 1; n > 0; n--) {
                statements.push(kinds[random(kinds.length)]());
            }

            await client.query(['begin', ...statements,
                                random(8) ? 'commit' : 'rollback'].join(';'));
        }

    } finally {
        await client.end();
    }
}


/* How many transactions there were that wrote. */
async function transactions() {
    const [{ n }] = await stack.sql(
        'select pg_snapshot_xmax(pg_current_snapshot()) as n');

    return Number(n);
}


describe('several writers', () => {
    test('subscribed at any moment: what the query gives', async (t) => {
        let over = false;

        t.after(() => { over = true; });

        const writers = [1, 2, 3, 4].map((n) => write(owner + n,
                                                      () => !over));
        const lives = [];

        while (lives.length < 20) {
            lives.push(await open(t, `${owner}`));
        }

        over = true;
        await Promise.all(writers);

        for (const live of lives) {
            await live.converges(`${SELECT} where owner = ${owner}`, stack,
                                 2 * LIMIT);
        }
    });

    test('a route is joined late, while they write', async (t) => {
        const lives = [];

        for (let i = 0; i < 8; i++) {
            lives.push(await open(t, `${owner}`, {}, false));
        }

        let over = false;

        t.after(() => { over = true; });

        const writers = [1, 2, 3].map((n) => write(owner + n, () => !over));

        for (const live of lives) {
            const n = await transactions();

            await until(async () => await transactions() > n + 20,
                        'others have written');
            await live.join();
        }

        over = true;
        await Promise.all(writers);

        for (const live of lives) {
            await live.converges(`${SELECT} where owner = ${owner}`, stack,
                                 2 * LIMIT);
        }
    });

    test('a condition of the query and a list of values', async (t) => {
        const writers = [1, 2, 3].map((n) => write(owner + n,
                                                   (i) => i < 150));
        const query = `${SELECT} where state = 'open'`;
        const live = await open(t, [`${owner}`, `${owner + 2}`], { query });

        await Promise.all(writers);
        await live.converges(`${query} and owner in (${owner}, ${owner + 2})`,
                             stack, 2 * LIMIT);
    });
});


describe('one writer', () => {
    test('1000 inserts, one by one: each comes once, in order', async (t) => {
        const live = await open(t, `${owner}`);
        const ids = [];

        for (let i = 0; i < 1000; i++) {
            ids.push(owner * 1000000 + i);
            await stack.sql('insert into items values ($1, $2)',
                            [ids.at(-1), owner]);
        }

        const seen = [];

        while (seen.length < ids.length) {
            for (const row of await live.next(`row ${seen.length}`)) {
                assert.equal(row.database_op, 'insert');
                seen.push(Number(row.id));
            }
        }

        assert.deepEqual(seen, ids);
        assert.deepEqual(await live.client.pending(), []);
    });

    test('1000 updates, one by one: the last state comes', async (t) => {
        const live = await open(t, `${owner}`);

        await stack.sql(`insert into items values (${owner}, ${owner})`);

        for (let i = 1; i <= 1000; i++) {
            await stack.sql('update items set n = $1 where id = $2',
                            [i, owner]);
        }

        let last = 0;

        while (last < 1000) {
            for (const row of await live.next(`an update after ${last}`)) {
                assert.ok(Number(row.n) >= last, 'no state comes again');
                last = Number(row.n);
            }
        }
    });

    test('a transaction larger than a batch and a chunk', async (t) => {
        const live = await open(t, `${owner}`);

        await stack.sql(`insert into items select ${owner} * 1000000 + i,
                         ${owner} from generate_series(1, 5000) i`);
        await live.converges(`${SELECT} where owner = ${owner}`, stack,
                             2 * LIMIT);
        assert.equal(live.rows.size, 5000);

        await stack.sql(`delete from items where owner = ${owner}`);
        await live.converges(`${SELECT} where owner = ${owner}`, stack,
                             2 * LIMIT);
        assert.equal(live.rows.size, 0);
    });

    test('truncate: the members are told', async (t) => {
        await stack.sql(`insert into items select ${owner} * 1000000 + i,
                         ${owner} from generate_series(1, 500) i`);

        const live = await open(t, `${owner}`);

        assert.equal(live.rows.size, 500);
        await stack.sql('truncate items');
        await live.converges('select * from items', stack);
    });
});
