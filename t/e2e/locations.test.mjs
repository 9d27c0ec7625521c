/*
 * The places of a configuration that a module meets: blocks within its
 * location, several locations and zones, another size at a reload.
 */

import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { until, within } from './lib/await.mjs';
import { Client } from './lib/client.mjs';
import { startStack } from './lib/stack.mjs';


async function start(t, options) {
    const stack = await startStack({ postgres: false, workers: 1,
                                     ...options });

    t.after(() => stack.stop());
    return stack;
}


async function client(t, base, options) {
    const c = await Client.connect(base, options);

    t.after(() => c.ws.terminate());
    return c;
}


/* Two clients on one topic: the second hears the first. */
async function hears(a, b, topic = 'room') {
    await a.join(topic);
    await b.join(topic);
    a.push(topic, 'e', { body: 1 });
    assert.deepEqual(await b.event(topic, 'e'), { body: 1 });
}


test('an "if" within the location changes nothing but what it says',
     async (t) => {
    const stack = await start(t, { directives: `
        set $seen "";
        if ($arg_x) {
            set $seen "yes";
        }` });

    await hears(await client(t, stack.base),
                await client(t, stack.base, { query: 'vsn=2.0.0&x=1' }));
});


test('limit_except within the location still serves it', async (t) => {
    const stack = await start(t, { directives: `
        limit_except POST {
            allow 127.0.0.1;
            deny all;
        }` });

    await hears(await client(t, stack.base), await client(t, stack.base));
});


test('locations with one zone hear each other, whatever their settings',
     async (t) => {
    const locations = Array.from({ length: 50 }, (_, i) =>
        `location /l${i} { kairos live; kairos_max_channels ${i + 1}; }`);
    const stack = await start(t, { server: locations.join('\n') });
    const at = (i) => `ws://127.0.0.1:${stack.port}/l${i}`;

    await hears(await client(t, at(0)), await client(t, at(49)));
    await hears(await client(t, stack.base), await client(t, at(25)));
});


test('a reload may change the size of a zone, add one and take it away',
     async (t) => {
    const stack = await start(t, { workers: 2,
                                   directives: 'kairos_drain 50ms;' });
    const conf = readFileSync(stack.nginx.conf, 'utf8');
    const descriptors = () => readdirSync(`/proc/${stack.nginx.pid}/fd`);
    const before = descriptors().length;

    for (const zones of ['kairos_zone live 1m;',
                         'kairos_zone live 2m; kairos_zone more 1m;',
                         'kairos_zone live 2m;', 'kairos_zone live 8m;']) {
        const old = await client(t, stack.base);

        writeFileSync(stack.nginx.conf,
                      conf.replace('kairos_zone live 8m;', zones));
        await stack.nginx.reload();
        assert.equal((await within(old.closed, 'the close')).code, 1012);

        const clients = await Promise.all(Array.from(
            { length: 6 }, () => client(t, stack.base)));

        for (const c of clients.slice(1)) {
            await hears(clients[0], c, `room ${zones}`);
        }
    }

    await until(() => descriptors().length == before,
                `the master keeps ${before} descriptors`);
});
