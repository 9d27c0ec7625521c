/*
 * Every operator on every type that it is for: a client that applies the
 * events has the rows that PostgreSQL itself says match.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Live, Refused } from './lib/live.mjs';
import { startStack } from './lib/stack.mjs';


const LISTS = ['eq', '!eq'];
const RANGES = ['gt', 'gte', 'lt', 'lte'];
const PATTERNS = ['contains', 'starts_with', 'ends_with'];

const TEXTS = ['a', 'A', 'b', 'ab', 'aB', 'abc', 'b a', 'é', 'e', 'zé😀', '😀',
               '100%', '10_', 'a\\b', "o'ne", '"q"', '{x,y}', 'null', 'Z',
               '~', 'ａ', '', ' a', 'a ', '\ta'];

/* values of each, in an order of no meaning; some equal in other words */
const TYPES = {
    smallint: ['-32768', '32767', '0', '-1', '7', '07'],
    integer: ['-2147483648', '2147483647', '0', '-1', '7', '10'],
    bigint: ['-9223372036854775808', '9223372036854775807', '0', '7',
             '9007199254740993', '9007199254740992'],
    real: ['1.5', '-0', '0', 'NaN', 'Infinity', '-Infinity', '1e-40', '0.1'],
    'double precision': ['0.1', '1e300', '-1e-300', 'NaN', 'Infinity',
                         '-Infinity', '0', '-0', '9007199254740993'],
    numeric: ['1.5', '1.50', '-0.0000000000000000001', 'NaN', 'Infinity',
              '-Infinity', '0', '1e30', '123456789012345678901234567890.1'],
    'numeric(20,4)': ['1.5', '1.5000', '-2', 'NaN', '1234567890123456.7891'],
    boolean: ['true', 'false', 't', 'no'],
    date: ['2024-02-29', '0044-03-15 BC', 'infinity', '-infinity',
           '1999-12-31', '2024-03-01', '12024-01-01'],
    uuid: ['0b8c3a52-7f0e-4e5c-9a43-2f9b1c5d7e11',
           'F0000000-0000-0000-0000-000000000000',
           '00000000-0000-0000-0000-000000000000',
           '0B8C3A52-7F0E-4E5C-9A43-2F9B1C5D7E12'],
    timestamp: ['2024-02-03 04:05:06.789', '2024-02-03 04:05:06.7891',
                'infinity', '-infinity', '0044-03-15 01:00:00 BC',
                '1969-12-31 23:59:59.999999'],
    timestamptz: ['2024-02-03 04:05:06.789+00', '2024-02-03 05:05:06.789+01',
                  'infinity', '-infinity', '0044-03-15 01:00:00+00 BC',
                  '2024-02-03 04:05:07-08'],
    time: ['04:05:06', '04:05:06.000001', '24:00', '00:00', '04:05:06.0'],
    text: TEXTS,
    'varchar(9)': TEXTS,
    'char(5)': ['a', 'ab', 'A', 'abc', 'é', 'b a', 'a  ', '😀', '10_'],
    'text collate "C"': TEXTS,
    'text collate "und-x-icu"': TEXTS,
};

/* how each is written in SQL; $1 is text[] */
const CONDITIONS = {
    eq: 'f = any ($1::T[])',
    '!eq': 'f <> all ($1::T[])',
    gt: 'f > ($1::T[])[1]',
    gte: 'f >= ($1::T[])[1]',
    lt: 'f < ($1::T[])[1]',
    lte: 'f <= ($1::T[])[1]',
    contains: 'position(($1::text[])[1] in f::text) > 0',
    starts_with: 'starts_with(f::text, ($1::text[])[1])',
    ends_with: 'right(f::text, length(($1::text[])[1])) = ($1::text[])[1]',
};

const names = Object.keys(TYPES);

let stack;

before(async () => {
    stack = await startStack({ workers: 2, setup: `
        create collation fuzzy (provider = icu, locale = 'und-u-ks-level2',
                                deterministic = false);
        create table fuzzies (id int primary key, f text collate fuzzy);
        alter table fuzzies replica identity full;
        create type mood as enum ('sad', 'ok');
        create domain ids as uuid;
        create domain positive as int check (value > 0);
        create table odd (id int primary key, j json, jb jsonb, m mood,
                          p positive, a int[], i interval, b bytea, n name,
                          ip inet, bo boolean, k int, u uuid, du ids);
        alter table odd replica identity full;
        ${names.map((type, i) => `
            create table t${i} (id int primary key, f ${type}, x int);
            alter table t${i} replica identity full;`).join('')}` });
});

after(() => stack?.stop());


/* a stream of numbers that is the same each time */
function random(seed) {
    let state = seed;

    return (n) => {
        state = (Math.imul(state, 1103515245) + 12345) >>> 0;
        return (state >>> 8) % n;
    };
}


function operators(type) {
    const plain = type.startsWith('boolean') ? [] : RANGES;

    return /text|char/.test(type) ? [...LISTS, ...plain, ...PATTERNS]
                                  : [...LISTS, ...plain];
}


/* The operator's values: two times one, and a list where it takes one. */
function valuesOf(operator, values, pick) {
    const one = () => values[pick(values.length)];
    const lists = [[one()], [one()]];

    if (LISTS.includes(operator)) {
        lists.push([one(), one(), one()]);
    }

    if (PATTERNS.includes(operator)) {
        lists.push([[...one()].at(-1) ?? 'a'], [' '], ['']);
    }

    return lists;
}


describe('a client has the rows that match', () => {
    for (const [i, type] of names.entries()) {
        test(type, async (t) => {
            const pick = random(i + 1);
            const values = TYPES[type];
            const lives = [];

            const any = () => (pick(9) == 0 ? null
                                            : values[pick(values.length)]);

            for (let id = 0; id < 12; id++) {
                await stack.sql(`insert into t${i} values ($1, $2, 0)`,
                                [id, any()]);
            }

            for (const operator of operators(type)) {
                for (const list of valuesOf(operator, values, pick)) {
                    const live = await Live.open(
                        stack.base, `t${i}`, 'f',
                        list.length == 1 ? list[0] : list,
                        { equality: operator });

                    t.after(() => live.client.ws.terminate());
                    lives.push({ live, operator, list });
                }
            }

            await converge(type, i, lives, 'the snapshot');
            await change(i, pick, any);
            await converge(type, i, lives, 'the events');

            await stack.sql(`delete from t${i}`);
            await converge(type, i, lives, 'the deletes');
        });
    }
});


/* Rows come, go, move and change; some transactions are rolled back. */
async function change(i, pick, any) {
    for (let n = 0; n < 60; n++) {
        const client = await stack.pool.connect();

        try {
            await client.query('begin');

            for (let k = 0; k <= pick(3); k++) {
                const id = pick(30);

                switch (pick(4)) {
                case 0:
                    await client.query(`delete from t${i} where id = $1`,
                                       [id]);
                    break;

                case 1:
                    await client.query(`update t${i} set x = x + 1`
                                       + ' where id = $1', [id]);
                    break;

                default:
                    await client.query(
                        `insert into t${i} values ($1, $2, 0) on conflict`
                        + ' (id) do update set f = excluded.f', [id, any()]);
                }
            }

            await client.query(pick(8) == 0 ? 'rollback' : 'commit');

        } finally {
            client.release();
        }
    }
}


async function converge(type, i, lives, what) {
    for (const { live, operator, list } of lives) {
        const cast = type.replace(/ collate.*|\(.*/, '')
                     .replace(/^char$/, 'bpchar');
        const quoted = list.map((v) => `'${v.replaceAll("'", "''")}'`);
        const condition = CONDITIONS[operator].replaceAll('T[]', `${cast}[]`)
                          .replaceAll('$1', `array[${quoted}]`);

        try {
            await live.converges(`select * from t${i} where ${condition}`,
                                 stack);

        } catch (err) {
            err.message = `${what}, ${operator} ${JSON.stringify(list)}: `
                          + err.message;
            throw err;
        }
    }
}


test('a value counts as PostgreSQL reads it', async (t) => {
    const i = names.indexOf('numeric');

    await stack.sql(`delete from t${i}`);
    await stack.sql(`insert into t${i} values (1, 1.50, 0), (2, 2, 0)`);

    for (const value of ['1.5', '01.500', '15e-1', 1.5, ' 1.5\n']) {
        const live = await Live.open(stack.base, `t${i}`, 'f', value);

        t.after(() => live.client.ws.terminate());
        assert.deepEqual([...live.rows.keys()], ['1'], `${value}`);
    }

    const uuid = TYPES.uuid[0];

    await stack.sql('insert into odd (id, u, du) values (1, $1, $2)',
                    [uuid, uuid]);

    for (const value of [uuid, uuid.toUpperCase(), `{${uuid}}`,
                         uuid.replaceAll('-', ''), ` ${uuid}\t`]) {
        for (const field of ['u', 'du']) {
            const live = await Live.open(stack.base, 'odd', field, value);

            t.after(() => live.client.ws.terminate());
            assert.deepEqual([...live.rows.keys()], ['1'], value);
        }
    }
});


test('a value is not cut to the length of its column', async (t) => {
    const table = (type) => `t${names.indexOf(type)}`;

    for (const [type, kept, longer] of [
        ['numeric(20,4)', '1.5001', '1.50009'],
        ['varchar(9)', 'abcdefghi', 'abcdefghij'],
        ['char(5)', 'abcde', 'abcdef'],
    ]) {
        await stack.sql(`delete from ${table(type)}`);

        const same = await Live.open(stack.base, table(type), 'f', kept);
        const other = await Live.open(stack.base, table(type), 'f', longer);

        t.after(() => same.client.ws.terminate());
        t.after(() => other.client.ws.terminate());

        await stack.sql(`insert into ${table(type)} values (1, $1)`, [kept]);
        assert.equal((await same.next())[0].id, 1);
        assert.deepEqual(other.drain(), [], type);
    }
});


describe('what a type has not is refused', () => {
    const ALL = [...LISTS, ...RANGES, ...PATTERNS];
    const full = { 'numeric(20,4)': 'numeric',
                   timestamp: 'timestamp without time zone',
                   timestamptz: 'timestamp with time zone',
                   time: 'time without time zone' };

    for (const [i, type] of names.entries()) {
        test(type, async () => {
            const name = full[type] ?? type;
            const values = TYPES[type].slice(0, 2);
            const text = /text|char/.test(type);

            const refused = (equality, value, ...words) => assert.rejects(
                Live.open(stack.base, `t${i}`, 'f', value, { equality }),
                (err) => {
                    assert.ok(err instanceof Refused, err.stack);

                    for (const word of words) {
                        assert.ok(err.message.includes(word),
                                  `${word}: ${err.message}`);
                    }

                    return true;
                });

            for (const equality of ALL) {
                if (!operators(type).includes(equality)) {
                    await refused(equality, values[0], `"${equality}"`,
                                  '"f"', name);

                } else if (!LISTS.includes(equality)) {
                    await refused(equality, values, `"${equality}"`,
                                  'takes one value, not 2');
                }

                if (operators(type).includes(equality) && !text) {
                    await refused(equality, '5 apples', 'field_value',
                                  `"${equality}"`, name, '"5 apples"');
                }
            }

            if (!text) {
                await refused('eq', [values[0], '5 apples'], '"5 apples"');
            }
        });
    }
});


describe('refusals name the operator, the type, the value', () => {
    for (const [field, equality, value, reason] of [
        ['bo', 'gt', 'true', /"bo" of type boolean: equality "gt"/],
        ['k', 'contains', '1', /"k" of type integer: equality "contains" is/],
        ['u', 'starts_with', '0b', /uuid: equality "starts_with" is for text/],
        ['k', 'gt', ['1', '2'], /"gt" takes one value, not 2/],
        ['k', 'gt', 'x', /field_value for "gt" of type integer.*"x"/],
        ['k', '!eq', ['1', 'y'], /field_value for "!eq" of type integer.*"y"/],
        ['k', 'eq', '1e3', /field_value for "eq" of type integer.*"1e3"/],
        ['k', 'lt', '2147483648', /"2147483648" is out of range/],
        ['j', 'eq', '{}', /"j" is of type json, which cannot be compared/],
        ['jb', 'eq', '{}', /"jb" is of type jsonb/],
        ['m', 'eq', 'fine', /invalid input value for enum mood: "fine"/],
        ['m', 'contains', 'o', /"m" of type mood: .* is for text/],
        ['p', 'contains', '1', /"p" of type positive: .* is for text/],
        ['a', 'eq', '{1}', /"a" is of type integer\[\]/],
        ['i', 'gt', '1 day', /"i" is of type interval/],
        ['b', 'eq', '\\x00', /"b" is of type bytea/],
        ['ip', 'eq', '127.0.0.1', /"ip" is of type inet/],
        ['k', 'like', '1', /equality "like" is none of eq, !eq, gt/],
        ['k', 'EQ', '1', /equality "EQ" is none of/],
        ['k', '=', '1', /equality "=" is none of/],
        ['k', 'eq', '', /field_value for "eq" of type integer.*""$/],
        ['k', 'eq', ' ', /field_value for "eq" of type integer.*" "$/],
        ['u', '!eq', '0b8c', /field_value for "!eq" of type uuid.*"0b8c"/],
        ['bo', 'eq', '2', /field_value for "eq" of type boolean.*"2"/],
        ['k', 'is', null, /field_value must not be null/],
        ['k', 'eq', ['1', null], /field_value must not be null/],
    ]) {
        test(`${field} ${equality} ${JSON.stringify(value)}`, async () => {
            await assert.rejects(Live.open(stack.base, 'odd', field, value,
                                           { equality }),
                                 (err) => {
                assert.ok(err instanceof Refused, err.stack);
                assert.match(err.message, reason);
                return true;
            });
        });
    }

    for (const equality of [...LISTS, ...RANGES, ...PATTERNS]) {
        test(`${equality} on a nondeterministic collation`, async () => {
            await assert.rejects(Live.open(stack.base, 'fuzzies', 'f', 'a',
                                           { equality }),
                                 /nondeterministic collation/);
        });
    }
});
