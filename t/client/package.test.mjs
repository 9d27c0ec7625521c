/*
 * The package itself: what is in it, how large it is, and that what the
 * documentation shows compiles with it.
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { ROOT } from '../e2e/lib/stack.mjs';
import { DIR, NAME, bundle } from './lib/package.mjs';


const KB = 1024;
const PAGES = ['README.md', 'docs/client.md', 'client/README.md'];


async function size(code, external) {
    const text = await bundle(code, { external, minify: true });

    return gzipSync(text, { level: 9 }).length;
}


test('all of it has at most 4 kB beside phoenix', async (t) => {
    const bytes = await size(`export * from '${NAME}'`, ['phoenix']);

    t.diagnostic(`${bytes} bytes`);
    assert.ok(bytes > 1 * KB && bytes <= 4 * KB, `${bytes} bytes`);
});


test('it depends on phoenix alone', () => {
    const { dependencies, peerDependenciesMeta, scripts } = JSON.parse(
        readFileSync(join(DIR, 'node_modules', NAME, 'package.json')));

    assert.deepEqual(Object.keys(dependencies), ['phoenix']);
    assert.deepEqual(peerDependenciesMeta, { react: { optional: true } });
    assert.equal(scripts, undefined);
});


test('each module has its declarations, and there is nothing else', () => {
    const files = readdirSync(join(DIR, 'node_modules', NAME),
                              { recursive: true, withFileTypes: true })
                  .filter((file) => file.isFile()).map(({ name }) => name);
    const scripts = files.filter((name) => name.endsWith('.js'));

    assert.deepEqual(files.filter((name) => !/\.d\.ts$|\.js$/.test(name))
                          .sort(), ['LICENSE', 'README.md', 'package.json']);
    assert.ok(scripts.length >= 5);

    for (const name of scripts) {
        assert.ok(files.includes(name.replace(/\.js$/, '.d.ts')), name);
    }
});


/* as a page's project would be compiled, declarations included */
test('what the documentation shows compiles with strict', () => {
    const dir = join(DIR, 'docs');
    let n = 0;

    mkdirSync(dir);
    writeFileSync(join(dir, 'package.json'), '{ "type": "module" }');

    for (const page of PAGES) {
        const text = readFileSync(join(ROOT, page), 'utf8');

        for (const [, kind, code] of
             text.matchAll(/^```(tsx?)\n(.*?)^```/gms))
        {
            writeFileSync(join(dir, `example${++n}.${kind}`), code);
        }
    }

    assert.ok(n >= 6, `${n} examples`);

    const ran = spawnSync(process.execPath, [
        join(ROOT, 'client/node_modules/typescript/bin/tsc'), '--strict',
        '--noEmit', '--module', 'nodenext', '--target', 'es2022', '--lib',
        'es2022,dom', '--jsx', 'react-jsx', '--exactOptionalPropertyTypes',
        '--noUncheckedIndexedAccess',
        ...readdirSync(dir).filter((name) => name.startsWith('example'))
                           .map((name) => join(dir, name)),
    ], { encoding: 'utf8' });

    assert.equal(ran.stdout, '');
    assert.equal(ran.status, 0);
});
