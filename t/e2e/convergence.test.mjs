/*
 * Whatever goes wrong, each client ends with what its query returns.  A short
 * run of each fault; `make soak` does the same for as long as it is told.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FAULTS } from '../soak/faults.mjs';
import { run } from '../soak/run.mjs';


const SANITIZED = process.env.KAIROS_SANITIZE == '1';

/* another one each day, the same for all who look into a failure */
const SEED = Number(process.env.SEED ?? Math.floor(Date.now() / 86400000));


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
