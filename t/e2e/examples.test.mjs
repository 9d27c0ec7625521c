/*
 * What the pages and conf/ show as configuration is one: nginx takes it, and
 * has nothing to warn of.
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync,
         writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { LIMIT } from './lib/await.mjs';
import { CLEAN, freePort } from './lib/processes.mjs';
import { BUILD, ROOT } from './lib/stack.mjs';


const NGINX = process.env.KAIROS_NGINX ?? '/usr/sbin/nginx';
const SECRET = '0123456789abcdef0123456789abcdef';

let dir, port;

before(async () => {
    port = await freePort();
    dir = mkdtempSync(join(tmpdir(), 'kairos-examples-'));
    chmodSync(dir, 0o755);
    mkdirSync(join(dir, 'etc'));

    for (const name of ['secret', 'new', 'old']) {
        writeFileSync(join(dir, 'etc', name), `${SECRET}\n`);
    }

    writeFileSync(join(dir, 'etc/issuer.pem'),
                  generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey
                  .export({ type: 'spki', format: 'pem' }));
});

after(() => rmSync(dir, { recursive: true, force: true }));


function read(path) {
    return readFileSync(join(ROOT, path), 'utf8');
}


/* With the files and the port of this machine; what lacks is put around. */
function whole(text) {
    const at = (name) => new RegExp(`^ *${name}\\b`, 'm').test(text);
    const zone = 'kairos_zone live 1m;';

    if (!at('location') && !at('http') && !at('kairos_zone')) {
        const inside = [[/kairos live;/, 'kairos live;'],
                        [/kairos_auth on;/,
                         /kairos_auth_/.test(text) ? 'kairos_auth on;' : ''],
                        [/kairos_auth_secret/,
                         /kairos_auth_key/.test(text)
                         ? '' : `kairos_auth_secret ${SECRET};`]];

        text = `location /realtime {
            ${inside.map(([has, line]) => has.test(text) ? '' : line)
                    .join('\n')}
            ${text}
        }`;
    }

    if (!at('http')) {
        text = at('kairos_zone') ? `http { ${text} }` : `http { ${zone}
            server { listen 127.0.0.1:${port}; ${text} } }`;
    }

    if (!/\bevents\b/.test(text)) {
        text += '\nevents {}';
    }

    if (!/\bload_module\b/.test(text)) {
        text = `load_module modules/ngx_http_kairos_module.so;\n${text}`;
    }

    return text.replace(/load_module modules/, `load_module ${BUILD}`)
               .replaceAll('/etc/kairos/', `${dir}/etc/`)
               .replace(/listen \d+;/, `listen 127.0.0.1:${port};`)
           + `\npid ${dir}/nginx.pid;`;
}


function check(text) {
    const conf = join(dir, 'nginx.conf');

    writeFileSync(conf, whole(text));

    const ran = spawnSync(NGINX, ['-t', '-q', '-e', 'stderr', '-p', dir, '-c',
                                  conf], {
        env: { ...CLEAN, JWT_SECRET: SECRET,
               ASAN_OPTIONS: 'detect_leaks=0:detect_odr_violation=0' },
        encoding: 'utf8', timeout: LIMIT });

    assert.equal(ran.stderr, '', readFileSync(conf, 'utf8'));
    assert.equal(ran.status, 0);
}


test('conf/nginx.conf, as it is and with all that it leaves out', () => {
    const text = read('conf/nginx.conf');
    const lines = text.match(/^ *# kairos_.*;$/gm);

    assert.equal(lines.length, 3);
    check(text);
    check(text.replace(/^( *)# (kairos_.*;)$/gm, '$1$2'));
});


describe('fenced', () => {
    const pages = ['README.md', ...readdirSync(join(ROOT, 'docs'))
                                   .filter((name) => name.endsWith('.md'))
                                   .map((name) => `docs/${name}`)];
    let n = 0;

    for (const page of pages) {
        for (const [, text] of read(page).matchAll(/^```nginx\n(.*?)^```/gms))
        {
            n++;
            test(`${page}: ${text.split('\n')[0]}`, () => check(text));
        }
    }

    test('there are some', () => assert.ok(n >= 3));
});


/* the examples of a directive are indented, and so is its syntax */
describe('indented', () => {
    let n = 0;

    for (const page of ['docs/directives.md', 'docs/auth.md']) {
        for (const [text] of read(page).matchAll(/(?:^ {4}.*\n)+/gm)) {
            if (!/^ {4}(?:kairos\w* |location )/.test(text)) {
                continue;
            }

            n++;
            test(`${page}: ${text.split('\n')[0].trim()}`, () => check(text));
        }
    }

    test('there are some', () => assert.ok(n >= 10, `${n}`));
});
