/*
 * The client in Chromium: in a plain page, and in React with StrictMode.
 */

import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync }
    from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { until } from '../e2e/lib/await.mjs';
import { startStack } from '../e2e/lib/stack.mjs';
import { launch } from '../browser/lib/chromium.mjs';
import { NAME, bundle } from './lib/package.mjs';


/* window.updates: what a listener was told; window.frames: between which */
const PLAIN = `
    import { Kairos, sql } from '${NAME}';

    const kairos = new Kairos('/realtime');

    window.live = kairos.live(sql\`select id, v from posts\`,
                              { field: 'f', value: 1 });
    window.updates = [];
    window.frame = 0;
    (function count() {
        window.frame++;
        requestAnimationFrame(count);
    })();
    live.subscribe(({ rows, changes }) => {
        updates.push({ n: rows.length, changes: changes.length, frame });
    });`;

const REACT = `
    import { StrictMode, useState } from 'react';
    import { createRoot } from 'react-dom/client';
    import { Kairos, sql } from '${NAME}';
    import { useLive } from '${NAME}/react';

    const send = WebSocket.prototype.send;

    window.sent = [];
    WebSocket.prototype.send = function (data) {
        sent.push(JSON.parse(data)[3]);
        return send.call(this, data);
    };

    const kairos = new Kairos('/realtime');

    window.renders = {};

    function Row({ row }) {
        return <li data-id={row.id}>{row.v}</li>;
    }

    function Posts({ f }) {
        const { rows, status, error } = useLive(
            kairos, f && sql\`select id, v from posts\`,
            { field: 'f', value: f, compare: (a, b) => b.id - a.id });

        return <section data-status={status}>
            {error?.message}
            <ul>{rows.map((row) => <Row key={row.id} row={row} />)}</ul>
        </section>;
    }

    function Page() {
        const [f, setF] = useState(1);
        const [n, setN] = useState(2);

        window.set = { setF, setN };
        return Array.from({ length: n }, (_, i) => <Posts key={i} f={f} />);
    }

    createRoot(document.querySelector('main')).render(
        <StrictMode><Page /></StrictMode>);`;

let browser, stack, www;

before(async () => {
    www = mkdtempSync(join(tmpdir(), 'kairos-www-'));
    chmodSync(www, 0o755);

    for (const [name, code] of [['plain', PLAIN], ['react', REACT]]) {
        mkdirSync(join(www, name));
        writeFileSync(join(www, name, 'index.html'),
                      '<!doctype html><title>a page</title>'
                      + '<link rel=icon href="data:,"><main></main>'
                      + '<script type=module src=main.js></script>');
        writeFileSync(join(www, name, 'main.js'), await bundle(code));
    }

    stack = await startStack({ www, setup: `
        create table posts (id int primary key, f int, v text);
        alter table posts replica identity full;
        insert into posts values (1, 1, 'one'), (2, 1, 'two'),
                                 (3, 2, 'x');` });
    browser = await launch();
});

after(async () => {
    await browser?.close();
    await stack?.stop();
    rmSync(www, { recursive: true, force: true });
});


async function open(t, path) {
    const page = await browser.newPage();

    t.after(() => page.close());
    page.setDefaultTimeout(20000);
    page.faults = [];
    page.on('pageerror', (err) => page.faults.push(err.message));
    page.on('console', (line) => {
        if (['error', 'warning'].includes(line.type())) {
            page.faults.push(line.text());
        }
    });
    await page.goto(`${stack.httpBase}/${path}/`);
    return page;
}


test('a page: rows come once per frame', async (t) => {
    const page = await open(t, 'plain');

    await page.waitForFunction(() => live.status == 'live');

    /* far more events than frames */
    for (let i = 10; i < 210; i++) {
        await stack.sql("insert into posts values ($1, 1, 'many')", [i]);
    }

    await page.waitForFunction(() => live.rows.length == 202);

    const { updates, n } = await page.evaluate(() => {
        return { updates, n: live.rows.length };
    });
    const frames = updates.map(({ frame }) => frame);

    assert.equal(n, 202);
    assert.deepEqual(frames.slice(1), [...new Set(frames.slice(1))],
                     'no frame has two updates');
    assert.equal(updates.reduce((sum, u) => sum + u.changes, 0), 202);
    await stack.sql('delete from posts where id >= 10');
    await page.waitForFunction(() => live.rows.length == 2);
    assert.deepEqual(page.faults, []);
});


test('a page that is hidden gets its rows, too', async (t) => {
    const page = await open(t, 'plain');

    await page.waitForFunction(() => live.status == 'live');
    await page.evaluate(() => {
        window.requestAnimationFrame = () => 0;
    });
    await stack.sql("insert into posts values (9, 1, 'hidden')");
    await page.waitForFunction(() => live.rows.length == 3, undefined,
                               { polling: 50 });
    await stack.sql('delete from posts where id = 9');
});


test('React, in StrictMode: one subscription for equal queries', async (t) => {
    const page = await open(t, 'react');
    const texts = () => page.$$eval('section', (all) => {
        return all.map((section) => [section.dataset.status,
                                     section.innerText.trim()]);
    });
    const shows = (expected) => until(
        async () => JSON.stringify(await texts()) == JSON.stringify(expected),
        `the page shows ${JSON.stringify(expected)}`);

    await shows([['live', 'two\none'], ['live', 'two\none']]);

    const count = () => page.evaluate(() => {
        return sent.filter((event) => event == 'subscribe').length;
    });

    assert.equal(await count(), 1);

    /* the element of a row stays */
    const li = await page.$('li[data-id="1"]');

    await stack.sql("insert into posts values (4, 1, 'four')");
    await shows([['live', 'four\ntwo\none'], ['live', 'four\ntwo\none']]);
    await stack.sql("update posts set v = 'ONE' where id = 1");
    await shows([['live', 'four\ntwo\nONE'], ['live', 'four\ntwo\nONE']]);
    assert.equal(await li.evaluate((el) => el.isConnected), true);

    /* more components find the rows, fewer take nothing away */
    await page.evaluate(() => set.setN(3));
    await shows(Array(3).fill(['live', 'four\ntwo\nONE']));
    assert.equal(await count(), 1);
    await page.evaluate(() => set.setN(1));
    await shows([['live', 'four\ntwo\nONE']]);

    /* another query, none, and the first again */
    await page.evaluate(() => set.setF(2));
    await shows([['live', 'x']]);
    await page.evaluate(() => set.setF(null));
    await shows([['loading', '']]);
    await page.evaluate(() => set.setF(1));
    await shows([['live', 'four\ntwo\nONE']]);
    assert.equal(await count(), 3);

    /* no component is left: each of the three routes was left */
    await page.evaluate(() => set.setN(0));
    await shows([]);
    await page.waitForFunction(() => {
        return sent.filter((event) => event == 'phx_leave').length == 3;
    });
    assert.deepEqual(page.faults, []);
    await stack.sql("delete from posts where id = 4;"
                    + " update posts set v = 'one' where id = 1");
});


test('nginx away and back, in React', async (t) => {
    const page = await open(t, 'react');

    await page.waitForSelector('section[data-status=live] li');
    await stack.nginx.stop();
    await page.waitForSelector('section[data-status=stale] li');
    await stack.sql("insert into posts values (5, 1, 'meanwhile')");
    await stack.nginx.start();
    await stack.connected();
    await page.waitForSelector('section[data-status=live] li[data-id="5"]');
    assert.equal(await page.locator('section').first().locator('li').count(),
                 3);
});
