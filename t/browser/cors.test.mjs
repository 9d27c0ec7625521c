/*
 * Pages of other sites in a real browser, which keeps to what CORS, cookies
 * and sub-protocols demand: the SDK and phoenix.js as they are on npm, with
 * kairos_auth on.
 */

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { freePort } from '../e2e/lib/processes.mjs';
import { ROOT, startStack } from '../e2e/lib/stack.mjs';
import { launch } from './lib/chromium.mjs';


const SECRET = 'a secret of the tests, with 32 bytes or more';
const MODULES = join(ROOT, 't/node_modules');

/* the modules of a page, as they are */
const FILES = {
    '/kairos.js': '@nexusrt/kairos/dist/index.js',
    '/phoenix-1.7.mjs': 'phoenix-1.7/priv/static/phoenix.mjs',
    '/phoenix.mjs': 'phoenix/priv/static/phoenix.mjs',
};

const PAGE = `<!doctype html><title>a page</title>
<script type="importmap">{ "imports": {
    "phoenix": "/phoenix-1.7.mjs", "phoenix-1.8": "/phoenix.mjs",
    "@nexusrt/kairos": "/kairos.js" } }</script>`;

let browser, stack;

/* three sites: who may all, who may POST alone, who may not */
const sites = {};

before(async () => {
    for (const name of ['friend', 'poster', 'stranger']) {
        sites[name] = await serve();
    }

    stack = await startStack({ postgres: false, directives: `
        kairos_auth on;
        kairos_auth_secret '${SECRET}';
        kairos_auth_cookie session;
        kairos_origins ${sites.friend.origin};
        kairos_cors_origins ${sites.friend.origin} ${sites.poster.origin};` });

    browser = await launch();
});

after(async () => {
    await browser?.close();
    await stack?.stop();

    for (const { server } of Object.values(sites)) {
        server.closeAllConnections();
        server.close();
    }
});


async function serve() {
    const port = await freePort();

    const server = createServer((req, res) => {
        const file = FILES[req.url];

        if (file) {
            res.setHeader('Content-Type', 'text/javascript');
            res.end(readFileSync(join(MODULES, file)));
            return;
        }

        if (req.url == '/login') {
            res.setHeader('Set-Cookie', `session=${token()}; HttpOnly`);
        }

        res.setHeader('Content-Type', 'text/html');
        res.end(PAGE);
    });

    await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));

    return { server, origin: `http://127.0.0.1:${port}` };
}


function token() {
    const part = (x) => Buffer.from(JSON.stringify(x)).toString('base64url');
    const text = `${part({ alg: 'HS256', typ: 'JWT' })}.`
                 + part({ sub: 'u1', exp: Math.floor(Date.now() / 1e3) + 60 });

    return `${text}.`
           + createHmac('sha256', SECRET).update(text).digest('base64url');
}


/* Runs fn in a page of the site; gives what it returns, or the error. */
async function inPage(t, site, fn, path = '/') {
    const context = await browser.newContext();

    t.after(() => context.close());

    const page = await context.newPage();

    page.setDefaultTimeout(20000);
    await page.goto(sites[site].origin + path);

    return page.evaluate(fn, { base: stack.base, http: stack.httpBase,
                               token: token() });
}


/* What a page of the SDK does; its source goes to the browser. */
async function sdk({ base, token: text }) {
    const { NexusRT } = await import('@nexusrt/kairos');

    try {
        const nexus = await NexusRT.create(base, text, { userid: 'u1' });

        nexus.connect();
        await nexus.useUserChannel('lobby', {});

        const heard = new Promise((resolve) => nexus.on('hello', resolve));

        nexus.emit('hello', { body: 'from a browser' });
        return (await heard).body;

    } catch (err) {
        return `failed: ${err.message}`;
    }
}


/* Whether a socket opens: "open", or "refused". */
function socket({ base }) {
    const ws = new WebSocket(`${base}/websocket?vsn=2.0.0`);

    return new Promise((resolve) => {
        ws.onopen = () => resolve('open');
        ws.onerror = () => resolve('refused');
    });
}


test('the SDK works on a page that may come', async (t) => {
    assert.equal(await inPage(t, 'friend', sdk), 'from a browser');
});


test('and on no other', async (t) => {
    assert.match(await inPage(t, 'stranger', sdk), /^failed: /);
});


test('a page may read the answer of a POST if it is on the list',
     async (t) => {
    const post = async ({ http, token: text }) => {
        try {
            const res = await fetch(`${http}/realtime`, {
                method: 'POST', credentials: 'include',
                headers: { 'Authorization': `Bearer ${text}`,
                           'Content-Type': 'application/json' },
                body: '[]' });

            return [res.status, await res.text()];

        } catch {
            return 'refused';
        }
    };

    assert.deepEqual(await inPage(t, 'poster', post),
                     [200, '{"ok":true,"sent":0}']);
    assert.equal(await inPage(t, 'stranger', post), 'refused');
});


test('an HTTP-only cookie opens a socket, for the page that may', async (t) => {
    assert.equal(await inPage(t, 'friend', socket, '/login'), 'open');
    assert.equal(await inPage(t, 'friend', socket), 'refused');

    for (const site of ['poster', 'stranger']) {
        assert.equal(await inPage(t, site, socket, '/login'), 'refused');
    }
});


test('phoenix.js 1.8 sends its token as a sub-protocol', async (t) => {
    const connect = async ({ base, token: text }) => {
        const { Socket } = await import('phoenix-1.8');
        const ways = {};

        for (const authToken of [text, 'nonsense']) {
            const one = new Socket(base, { authToken,
                                           reconnectAfterMs: () => 60000 });

            ways[authToken == text] = await new Promise((resolve) => {
                one.onOpen(() => resolve(`open, ${one.conn.protocol}`));
                one.onError(() => resolve('refused'));
                one.connect();
            });
        }

        return ways;
    };

    assert.deepEqual(await inPage(t, 'friend', connect),
                     { true: 'open, phoenix', false: 'refused' });
});
