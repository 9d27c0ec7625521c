/*
 * sql`…`: PostgreSQL itself says whether a literal is the value that it was
 * made of.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { sharedCluster } from '../e2e/lib/postgres.mjs';
import '../e2e/lib/stack.mjs';
import { load, sql } from './lib/package.mjs';


const SEED = Number(process.env.KAIROS_SEED) || 7;
const RUNS = 300;

/* what ends, escapes or comments in SQL, and letters of all sizes */
const PIECES = ["'", "''", '\\', '"', ';', '--', '/*', '*/', '$$', '$1', '%',
                '\n', '\r', '\t', '\x01', '\x7f', ' ', 'E', "\\'", '\\n', 'a',
                'ä', '\u2028', '\uffff', '漢', '😀', '${', '`', '?', ':x'];

let cluster, client;

before(async () => {
    cluster = await sharedCluster();
    client = cluster.client('postgres');
    await client.connect();

    /* the cluster ends first */
    client.on('error', () => {});
});

after(() => client?.end());


/* numbers from 0 to 1, the same for the same seed */
function random(seed) {
    let s = seed >>> 0;

    return () => {
        s = s + 0x6d2b79f5 >>> 0;

        let x = Math.imul(s ^ s >>> 15, s | 1);

        x ^= x + Math.imul(x ^ x >>> 7, x | 61);
        return ((x ^ x >>> 14) >>> 0) / 2 ** 32;
    };
}


async function selected({ text }) {
    const { rows } = await client.query({ text, rowMode: 'array' });

    assert.equal(rows.length, 1, text);
    return rows[0];
}


describe('a literal is the value', () => {
    const next = random(SEED);
    const pick = (list) => list[Math.floor(next() * list.length)];

    const string = () => Array.from({ length: Math.floor(next() * 9) },
                                    () => pick(PIECES)).join('');

    const number = () => {
        const x = new DataView(new ArrayBuffer(8));

        x.setUint32(0, next() * 2 ** 32);
        x.setUint32(4, next() * 2 ** 32);
        return pick([x.getFloat64(0), Math.floor(next() * 2e6) - 1e6, -0, NaN,
                     Infinity, -Infinity, 2 ** 53, -5e-324, 1.5e300]);
    };

    const bigint = () => BigInt.asIntN(64, BigInt(Math.floor(next() * 2 ** 53))
                                           * BigInt(Math.floor(next() * 2e4)));

    for (const setting of ['on', 'off']) {
        test(`standard_conforming_strings ${setting}`, async () => {
            await client.query(
                `set standard_conforming_strings = ${setting};
                 set escape_string_warning = off`);

            for (let i = 0; i < RUNS; i++) {
                const value = string();
                const [is, same] = await selected(
                    sql`select ${value}::text, ${value} = ${value}`);

                assert.equal(is, value, JSON.stringify(value));
                assert.equal(same, true);
            }

            await client.query('reset standard_conforming_strings');
        });
    }

    test('numbers, also behind a minus', async () => {
        for (let i = 0; i < RUNS; i++) {
            const value = number();
            const [is, minus] = await selected(
                sql`select (${value})::float8::text,
                           (1-${value}::float8)::text`);

            assert.equal(Number(is), value === 0 ? 0 : value);
            assert.equal(Number(minus), 1 - value);
        }
    });

    test('BigInts', async () => {
        for (let i = 0; i < RUNS; i++) {
            const value = bigint();

            assert.deepEqual(await selected(
                sql`select ${value}::numeric::text, (0-${value})::text`),
                             [`${value}`, `${-value}`]);
        }
    });

    test('dates', async () => {
        for (let i = 0; i < RUNS; i++) {
            const value = new Date(Date.UTC(1 + next() * 9998, 0, 1)
                                   + Math.floor(next() * 3e10));
            const [ms] = await selected(
                sql`select (extract(epoch from ${value}) * 1000)::text`);

            assert.equal(Number(ms), value.getTime(), value.toISOString());
        }

        /* such years are written differently: refused, not misread */
        for (const year of [-1, 0, 10000, 275760]) {
            const value = new Date(Date.UTC(2000, 0, 1));

            value.setUTCFullYear(year);

            const ms = await selected(
                sql`select (extract(epoch from ${value}) * 1000)::text`)
                .catch((err) => err);

            assert.ok(ms instanceof Error || Number(ms[0]) == value.getTime(),
                      `${value.toISOString()}: ${ms}`);
        }
    });

    test('booleans, null, lists, parts', async () => {
        const part = sql`1 in ${[3, 1]}`;

        assert.deepEqual(await selected(
            sql`select ${true}, ${false}, ${null} is null, ${part},
                       ${'b'} in ${['a', "b'"]}, -1 in ${[-1n]}`),
                         [true, false, true, true, false, true]);
    });

    test('names', async () => {
        for (let i = 0; i < 30; i++) {
            const name = `${string()}x`.slice(0, 15);

            if (name.isWellFormed?.() === false) {
                continue;
            }

            const { fields } = await client.query(
                sql`select ${sql.id('Q', name)}
                    from (select 1 as ${sql.id(name)}) ${sql.id('Q')}`.text);

            assert.equal(fields[0].name, name);
        }
    });
});


describe('refused is', () => {
    const values = { undefined, 'an object': {}, 'a function': () => 1,
                     'a symbol': Symbol('x'), 'an empty list': [],
                     'a list in a list': [[1]], 'bytes': new Uint8Array(1),
                     'a zero byte': 'a\0b', 'half a pair': 'a\ud800',
                     'undefined in a list': [1, undefined],
                     'an invalid date': new Date(NaN) };

    for (const [name, value] of Object.entries(values)) {
        test(name, () => {
            assert.throws(() => sql`select ${value}`,
                          name == 'an invalid date' ? RangeError : TypeError);
        });
    }

    test('a value between quotes', () => {
        assert.throws(() => sql`select '%${'x'}%'`, TypeError);
        assert.equal(sql`select 'it''s', ${'x'}`.text,
                     "select 'it''s', 'x'");
    });

    test('a name that is none', () => {
        for (const name of ['', 'a\0b', '\udc00']) {
            assert.throws(() => sql.id(name), TypeError);
        }
    });
});


describe('JSON', () => {
    const texts = ['9007199254740993', '[-9007199254740993, 1.5e300]',
                   '{"9007199254740993": "9007199254740993"}',
                   '"a \\" 9007199254740993 \\\\"', '12345678901234567.5',
                   '[1234567890123456, 9007199254740991, 9007199254740992]',
                   `"${'x'.repeat(1e6)} 9007199254740993"`];

    test('integers that numbers hold, and all else, are as ever', async () => {
        const { parse } = await load('dist/src/json.js');

        for (const text of texts) {
            for (const mode of ['number', 'bigint']) {
                assert.equal(
                    JSON.stringify(parse(text, mode), (_key, value) => {
                        return typeof value == 'bigint' ? Number(value)
                                                        : value;
                    }), JSON.stringify(JSON.parse(text)),
                    `${mode}: ${text.slice(0, 80)}`);
            }
        }

        for (const text of texts.slice(2, 5)) {
            assert.deepEqual(parse(text, 'string'), JSON.parse(text));
        }
    });

    test('others are exact', async () => {
        const { parse } = await load('dist/src/json.js');

        assert.deepEqual(parse('[9007199254740993,-9007199254740992]',
                               'string'),
                         ['9007199254740993', '-9007199254740992']);
        assert.deepEqual(parse('[9007199254740993,-9007199254740992]',
                               'bigint'),
                         [9007199254740993n, -9007199254740992n]);
        assert.equal(parse('9007199254740993', 'number'), 9007199254740992);
    });
});
