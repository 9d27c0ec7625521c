/*
 * Clients that do whatever comes into their heads, for some seconds: well
 * made, ill made and half made messages, tokens, subscribes, pauses and ends.
 * Two others talk meanwhile and must miss nothing, and when all have gone
 * nothing of them is left.
 *
 * KAIROS_HOSTILE=60 goes on for so many seconds, KAIROS_SEED=7 repeats the
 * choices of a run (not the moments in which they meet).
 */

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import { LIMIT, until } from './lib/await.mjs';
import { Client } from './lib/client.mjs';
import { BINARY, PING, Raw, TEXT, closeFrame, frame } from './lib/raw.mjs';
import { startStack } from './lib/stack.mjs';


const SECONDS = Number(process.env.KAIROS_HOSTILE ?? 5);
const SEED = Number(process.env.KAIROS_SEED ?? Date.now() % 1000000);
const SECRET = 'a secret of the tests, with 32 bytes or more';
const CLIENTS = 15;

const TOPICS = ['a', 'b', 'c', 'd', 'e', '', 'é', 'phoenix', 'rt:x',
                'x'.repeat(255), 'x'.repeat(256)];
const REFS = ['"1"', '"1"', '"1"', '"2"', '3', 'null', '"\\u0031"'];

let stack;

before(async () => {
    stack = await startStack({
        setup: `create table posts (id int primary key, userid int);
                alter table posts replica identity full;
                insert into posts select i, i % 3 from
                    generate_series(1, 30) i`,
        directives: `kairos_auth on; kairos_auth_secret '${SECRET}';
                     kairos_message_size 16k; kairos_queue_size 64k;
                     kairos_max_channels 4; kairos_message_rate 3000;` });
});

after(() => stack?.stop());


/* mulberry32: numbers from 0 to 1 */
function random(seed) {
    return () => {
        let x = seed = seed + 0x6d2b79f5 | 0;

        x = Math.imul(x ^ x >>> 15, x | 1);
        x ^= x + Math.imul(x ^ x >>> 7, x | 61);
        return ((x ^ x >>> 14) >>> 0) / 2 ** 32;
    };
}


function token(sub, seconds = 60) {
    const part = (x) => Buffer.from(JSON.stringify(x)).toString('base64url');
    const text = `${part({ alg: 'HS256' })}.`
                 + part({ sub, exp: Math.floor(Date.now() / 1e3) + seconds });

    return `${text}.`
           + createHmac('sha256', SECRET).update(text).digest('base64url');
}


class Hostile {
    constructor(seed) {
        this.random = random(seed);
        this.routes = [];
    }

    one(list) {
        return list[Math.floor(this.random() * list.length)];
    }

    /* what it says next, as text */
    message() {
        const say = (event, payload) => `[${this.one(REFS)},${this.one(REFS)},`
            + `${JSON.stringify(this.one([...TOPICS, ...this.routes]))},`
            + `"${event}",${payload}]`;

        switch (this.one('jjjjllppppppttssssxxo'.split(''))) {
        case 'j':
            return say('phx_join', this.one(['{}', '{}', 'null', '[]']));
        case 'l':
            return say('phx_leave', '{}');
        case 'p':
            return say('e', JSON.stringify({
                body: 'x'.repeat(9000 * this.random()) }));
        case 't':
            return say('access_token', JSON.stringify({ access_token: this.one(
                ['x', token('u1'), token('u1', 3), token('u2')]) }));
        case 's':
            return say('subscribe', JSON.stringify(this.subscription()));
        case 'x':
            return say(this.one(['phx_close', 'phx_error', 'phx_reply', 'e',
                                 'heartbeat']), '{}');
        default:
            return this.random() < 0.9 ? say('e', '{}')
                   : this.one(['nonsense', '{}', '[1,2]', '["1","1","a"']);
        }
    }

    subscription() {
        return {
            topic: 'posts:userid', userid: 'u', table_field: 'userid',
            field_value: this.one(['1', ['1', '2'], 'x', null]),
            equality: this.one(['eq', '!eq', 'gt', 'none']),
            query: this.one(['select * from posts', 'drop table posts',
                             'select count(*), userid from posts'
                             + ' group by userid']),
            event: 'rows', pk: this.one(['id', 'userid']), alias: null };
    }

    /* and how it says it */
    say(raw) {
        const text = Buffer.from(this.message());
        const at = Math.floor(this.random() * text.length);
        const way = this.random();

        if (way < 0.8) {
            raw.send(frame(TEXT, text));

        } else if (way < 0.93) {
            raw.send(frame(TEXT, text.subarray(0, at), { fin: false }),
                     frame(PING, 'p'), frame(0, text.subarray(at)));

        } else if (way < 0.96) {
            raw.send(frame(BINARY, '\0\x01\x01\x01\x0112'
                                   + `${this.one(['a', 'b'])}ebytes`));

        } else if (way < 0.98) {
            raw.tcp.pause();

        } else if (way < 0.995) {
            raw.tcp.resume();

        } else {
            raw.send(this.one([frame(BINARY, text), text,
                               frame(TEXT, text).subarray(0, -3),
                               closeFrame(1000), closeFrame(999)]));
        }
    }

    learn(raw) {
        for (const f of raw.frames.items.splice(0)) {
            const found = /"(rt:[0-9a-f]{8,})"/.exec(f.payload);

            if (found) {
                this.routes = [found[1], ...this.routes].slice(0, 4);
            }
        }
    }

    /* One connection after the other, until it is time. */
    async live(end) {
        let n = 0;

        while (Date.now() < end) {
            const raw = await Raw.open(stack.port, {
                path: `/realtime/websocket?vsn=2.0.0&token=${token('u1', 5)}`,
                then: this.random() < 0.3 ? frame(TEXT, this.message())
                                          : undefined });
            const until = Math.min(end, Date.now() + 5000 * this.random());
            let over = false;

            raw.ended.then(() => { over = true; });

            while (!over && Date.now() < until) {
                for (let i = this.one([1, 3, 30]); i > 0; i--) {
                    this.say(raw);
                    n++;
                }

                this.learn(raw);
                await delay(this.one([0, 2, 20]));
            }

            raw.destroy();
        }

        return n;
    }
}


test(`the worst of clients harm no others, seed ${SEED}`, async (t) => {
    const query = `vsn=2.0.0&token=${token('witness', SECONDS + 60)}`;
    const [a, b] = [await Client.connect(stack.base, { query, name: 'a' }),
                    await Client.connect(stack.base, { query, name: 'b' })];
    const end = Date.now() + 1000 * SECONDS;

    await a.join('witnesses');
    await b.join('witnesses');

    const lives = Array.from({ length: CLIENTS }, (_, i) => {
        return new Hostile(SEED + i).live(end);
    });

    let n = 0;

    for (; Date.now() < end; n++) {
        a.push('witnesses', 'e', { body: n });
        assert.deepEqual(await b.event('witnesses', 'e'), { body: n });
        await a.event('witnesses', 'e');
        await stack.sql(`update posts set userid = ${n} % 3 where id = 1`);
    }

    const said = (await Promise.all(lives)).reduce((sum, m) => sum + m);

    t.diagnostic(`${said} messages, ${n} of the witnesses`);
    assert.ok(said > 100 * SECONDS, `${said} messages`);
    await a.close();
    await b.close();

    let status;

    await until(async () => {
        status = await stack.nginx.status();
        return status.sockets == 0 && status.channels == 0;
    }, () => `nothing is left, there is ${JSON.stringify(status)}`,
    2 * LIMIT, 100);

    assert.equal(status.failed, 0);
    assert.equal(status.workers.length, 2);
});
