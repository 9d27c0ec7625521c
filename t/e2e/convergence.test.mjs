/*
 * Whatever goes wrong, each client ends with what its query returns.  A short
 * run of each fault; `make soak` does the same for as long as it is told.
 * Before that: what the checker says when a client misses something.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FAULTS } from '../soak/faults.mjs';
import { samples } from '../soak/queries.mjs';
import { Random } from '../soak/random.mjs';
import { run } from '../soak/run.mjs';
import { View } from '../soak/view.mjs';


const SANITIZED = process.env.KAIROS_SANITIZE == '1';

/* of the checker itself: no sanitizer has anything to find there */
const ONCE = { skip: SANITIZED && 'not with a sanitizer' };

/* another one each day, the same for all who look into a failure */
const SEED = Number(process.env.SEED ?? Math.floor(Date.now() / 86400000));


/* drop: which rows a view does not apply, see run.mjs */
function deceived(drop) {
    return run({ fault: 'none', seed: SEED, times: 1, clients: 4, bulk: 100,
                 settle: 1000, drop });
}


/* Finds the one view, and the one row of it, that chosen() is true for. */
function once(chosen) {
    return function found(view, row, stage) {
        if (found.view == null && chosen(view, row, stage)) {
            Object.assign(found, { view, key: row.key });
            return true;
        }

        return false;
    };
}


test('a delete that a client misses is a divergence', ONCE, async () => {
    const drop = once((view, { op }, stage) => (
        stage == 'empty' && view.spec.table != 'marks' && op == 'delete'));

    const { diverged, report } = await deceived(drop);

    assert.equal(diverged, 1, report);
    assert.match(report, /^ {2}lacks 0 rows, has 1 too many, 0 are others/m);
    assert.ok(report.includes(drop.view.spec.what), report);
    assert.ok(report.includes(`the row ${drop.key}\n`), report);
});


test('so is an insert, and to hear no more', ONCE, async () => {
    let deaf;

    const drop = once((view, { op }, stage) => (
        stage == 'full' && view.spec.table != 'marks' && op != 'delete'));

    const { diverged, report } = await deceived((view, row, stage) => {
        if (drop(view, row, stage)) {
            return true;
        }

        if (drop.view != null && drop.view != view && stage == 'full') {
            deaf ??= view.spec.table == 'marks' ? undefined : view;
        }

        return view == deaf;
    });

    assert.equal(diverged, 2, report);
    assert.match(report, /^ {2}lacks 1 rows, has 0 too many, 0 are others/m);
    assert.match(report, /heard 0 times in the last stage/);

    for (const what of [drop.view.spec.what, deaf.spec.what,
                        `the row ${drop.key}\n`]) {
        assert.ok(report.includes(what), report);
    }
});


test('another row than the query returns is a divergence', () => {
    const view = new View({ key: ['id'] });

    view.apply({ rows: [{ id: 1, n: 1, database_op: 'insert' }] });

    assert.equal(view.compare(new Map([['1', '{"id":1,"n":1}']])).n, 0);
    assert.deepEqual(view.compare(new Map([['1', '{"id":1,"n":2}']])),
                     { lacks: [], more: [], differs: ['1'], n: 1 });
});


test('so is a row of another subscription, though it goes again', () => {
    const [spec] = samples(new Random(1))
                   .filter(({ what }) => what == 'all columns');
    const value = spec.payload.field_value;
    const field = spec.payload.table_field;
    const view = new View(spec);

    view.apply({ rows: [{ id: 1, [field]: value, database_op: 'insert' }] });
    assert.deepEqual(view.strays, []);

    view.apply({ rows: [{ id: 1, [field]: null, database_op: 'update' },
                        { id: 1, database_op: 'delete' }] });
    assert.deepEqual(view.strays, [`update {"id":1,"${field}":null}`]);
});


for (const [fault, { sanitized = true }] of Object.entries(FAULTS)) {
    test(`${fault}: the clients converge`, {
        skip: SANITIZED && !sanitized && 'not with a sanitizer',
    }, async () => {
        const result = await run({ fault, seed: SEED, times: 2, clients: 10,
                                   bulk: 2000 });

        assert.equal(result.report, '');
        assert.equal(result.diverged, 0);
        assert.deepEqual([...result.left], [], 'what is not served');
        assert.ok(result.times >= 2 && result.commits > 30
                  && result.events > 100, JSON.stringify(result));
    });
}
