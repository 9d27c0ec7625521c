/*
 * Usage: main.mjs SECONDS [FAULT...]
 *
 * Gives each fault (all are the default) an equal part of the time, in runs
 * of half a minute and more, each with a seed of its own, and prints a table.
 * SEED begins with another seed, BULK is the size of the largest transaction,
 * CLIENTS how many there are.  The status is 1 if anything diverged.
 */

import { removeCluster } from '../e2e/lib/postgres.mjs';
import { FAULTS } from './faults.mjs';
import { run } from './run.mjs';


const RUN = 30;                 /* seconds */
const SUMS = ['seconds', 'times', 'clients', 'views', 'commits', 'events',
              'lost', 'told', 'diverged'];
const WIDTH = 10;


async function main(seconds, names) {
    const unknown = names.find((name) => FAULTS[name] == null);

    if (unknown || !(seconds > 0)) {
        throw new Error(unknown ? `there is no fault "${unknown}", there are: `
                                  + Object.keys(FAULTS).join(', ')
                                : 'SOAK is a number of seconds');
    }

    const faults = names.length ? names : Object.keys(FAULTS);
    const each = seconds / faults.length;
    const runs = Math.max(1, Math.floor(each / RUN));
    const total = { fault: 'all', ...zeros() };
    let seed = Number(process.env.SEED ?? 1);

    print(['fault', ...SUMS]);

    for (const fault of faults) {
        const sums = zeros();

        for (let i = 0; i < runs; i++, seed++) {
            await once(fault, seed, each / runs, sums);
        }

        print([fault, ...SUMS.map((key) => sums[key])]);
        SUMS.forEach((key) => { total[key] += sums[key]; });
    }

    print([total.fault, ...SUMS.map((key) => total[key])]);
    return total.diverged == 0 && !process.exitCode;
}


async function once(fault, seed, seconds, sums) {
    const began = Date.now();

    try {
        const result = await run({
            fault, seed, seconds, times: 2, bursts: 10,
            clients: Number(process.env.CLIENTS ?? 60),
            bulk: Number(process.env.BULK ?? 100000) });

        result.seconds = Math.round((Date.now() - began) / 1000);
        SUMS.forEach((key) => { sums[key] += result[key]; });

        for (const [what, reason] of result.left) {
            process.exitCode = 1;
            console.log(`left out: ${what}: ${reason}`);
        }

        if (result.report) {
            process.exitCode = 1;
            console.log(result.report);
        }

    } catch (err) {
        process.exitCode = 1;
        console.log(`${fault}, seed ${seed}: ${err.stack}`);
    }
}


function zeros() {
    return Object.fromEntries(SUMS.map((key) => [key, 0]));
}


function print([name, ...columns]) {
    console.log(name.padEnd(34)
                + columns.map((c) => `${c}`.padStart(WIDTH)).join(''));
}


try {
    if (!await main(Number(process.argv[2]), process.argv.slice(3))) {
        process.exitCode = 1;
    }

} catch (err) {
    process.exitCode = 2;
    console.error(err.message);

} finally {
    await removeCluster();
}
