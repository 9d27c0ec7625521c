/*
 * The npm package of the client as `make client` made it: unpacked, beside
 * what it depends on.
 */

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync }
    from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { pathToFileURL } from 'node:url';

import { build } from 'esbuild';
import WebSocket from 'ws';

import { within } from '../../e2e/lib/await.mjs';
import { ROOT } from '../../e2e/lib/stack.mjs';


export const NAME = 'kairos-nginx-client';

const BUILT = process.env.KAIROS_CLIENT ?? join(ROOT, '.build/client');
const TARBALL = join(BUILT, readdirSync(BUILT)
                            .find((name) => name.endsWith('.tgz')));

/* of the tests, and of the client's own build */
const LINKS = { 't': ['phoenix', 'react', 'react-dom', 'scheduler', 'ws'],
                'client': ['typescript', '@types', 'csstype'] };

export const DIR = mkdtempSync(join(tmpdir(), 'kairos-client-'));

after(() => rmSync(DIR, { recursive: true, force: true }));

const MODULES = join(DIR, 'node_modules');

mkdirSync(MODULES);
execFileSync('tar', ['-xf', TARBALL, '-C', DIR]);
renameSync(join(DIR, 'package'), join(MODULES, NAME));

for (const [from, names] of Object.entries(LINKS)) {
    for (const name of names) {
        symlinkSync(join(ROOT, from, 'node_modules', name),
                    join(MODULES, name));
    }
}


/* A module of the package, by its path in it. */
export function load(path) {
    return import(pathToFileURL(join(MODULES, NAME, path)));
}

export const { Kairos, KairosError, Sql, sql }
    = await load('dist/src/index.js');


/* A client that ends with the test. */
export function connect(t, stack, options = {}) {
    const kairos = new Kairos(`${stack.httpBase}/realtime`,
                              { WebSocket, ...options });

    t.after(() => kairos.close());
    return kairos;
}


/* A live query or a topic when it is ready. */
export function ready(subject) {
    return within(subject.ready, () => `it is ready: ${subject.status}`
                                       + ` (${subject.error?.message})`);
}


/* The first update of a live query (the present one too) that is accepted. */
export function becomes(live, accepts, what, ms) {
    let off = () => {};

    const found = new Promise((resolve) => {
        off = live.subscribe((update) => {
            if (accepts(update)) {
                resolve(update);
            }
        });
    });

    return within(found, () => `${what}; it is ${live.status}`
                               + ` (${live.error?.message}): `
                               + JSON.stringify(live.rows.slice(0, 20)), ms)
           .finally(() => off());
}


/* One file of JavaScript with all that the code imports. */
export async function bundle(code, options = {}) {
    const { outputFiles: [file] } = await build({
        stdin: { contents: code, resolveDir: DIR, loader: 'tsx' },
        bundle: true, write: false, format: 'esm', jsx: 'automatic',
        preserveSymlinks: true, logLevel: 'silent',
        define: { 'process.env.NODE_ENV': '"development"' }, ...options });

    return file.text;
}
