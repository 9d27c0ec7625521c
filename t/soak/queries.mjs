/*
 * The tables, and what clients ask: every operator on every kind of column,
 * lists of values, none at all, and every shape of a SELECT.
 */

export const SETUP = `
    create table owners (id int primary key, name text not null);
    create table items (id bigint primary key, code text not null unique,
                        owner int, state text not null, n int,
                        price numeric(12,2), tag text, at timestamptz,
                        body text, flag boolean, day date, ref uuid,
                        ratio float8);
    create table parts (region text, id bigint, owner int, n int,
                        primary key (region, id))
        partition by list (region);
    create table parts_a partition of parts for values in ('a');
    create table parts_b partition of parts for values in ('b');
    create table parts_rest partition of parts default;
    create table marks (id int primary key, k int);
    alter table owners replica identity full;
    alter table items replica identity full;
    alter table parts_a replica identity full;
    alter table parts_b replica identity full;
    alter table parts_rest replica identity full;
    alter table marks replica identity full;
    insert into owners select n, 'owner ' || n from generate_series(0, 9) n;

    create schema nothing;
    create table nothing.owners as table owners;
    create table nothing.items (like items);
    create table nothing.parts (like parts);

    create schema sample;
    create table sample.owners as table owners;
    create table sample.items as
        select i::bigint as id, 'c' || i as code, i % 11 as owner,
               (array['open', 'done', 'wait'])[1 + i / 11 % 3] as state,
               i * 7 % 100 as n, (i * 37 % 10100)::numeric / 100 as price,
               (array['', 'a', 'b', 'c', 'A', 'B'])[1 + i % 6]
               || (array['', 'a', 'b', 'c', 'A', 'B'])[1 + i / 6 % 6] as tag,
               timestamptz '2025-12-31 12:00+00' + i * interval '1 hour' as at,
               'the last' as body, i % 2 = 0 as flag,
               date '2025-12-31' + i % 40 as day,
               ('00000000-0000-0000-0000-' || lpad((i % 20)::text, 12, '0'))
               ::uuid as ref, i % 17 / 4::float8 as ratio
        from generate_series(0, 600) i;
    create table sample.parts as
        select (array['a', 'b', 'c'])[1 + i / 50] as region, i::bigint as id,
               i % 10 as owner, i * 7 % 100 as n
        from generate_series(0, 149) i;`;

/*
 * What is written in the end: all rows go, and those of the schema "sample"
 * come.  Where a subscription has other rows in "sample" than in "nothing",
 * each of the two must be heard of.
 */
export const EMPTY = 'delete from items; delete from parts';
export const FILL = `
    delete from owners; insert into owners table sample.owners;
    insert into items table sample.items;
    insert into parts table sample.parts`;

/* keys that writers share */
export const KEYS = 300;

/* keys of large transactions begin here, and an owner of their own */
export const BULK = 1000000;
export const BULK_OWNER = 77;

export const STATES = ['open', 'done', 'wait'];


const FIELDS = {
    owner: (r) => `${r.below(10)}`,
    n: (r) => `${r.below(100)}`,
    price: (r) => `${r.below(100)}.${10 + r.below(90)}`,
    state: (r) => r.of(STATES),
    tag: (r) => word(r, 1 + r.below(2)),
    at: (r) => time(r),
    id: (r) => `${r.below(KEYS)}`,
    flag: (r) => `${r.once(2)}`,
    day: (r) => day(r),
    ref: (r) => uuid(r),
    ratio: (r) => `${r.below(17) / 4}`,
};

const RANGES = ['gt', 'gte', 'lt', 'lte'];
const PATTERNS = ['contains', 'starts_with', 'ends_with'];
const EQUALITIES = ['eq', '!eq'];

/* columns whose values JSON and SQL print alike */
const PRINTED = ['owner', 'n', 'state', 'tag', 'id', 'flag', 'day', 'ref'];

/* how often each: what is most used is most tried */
const OPERATORS = ['eq', 'eq', 'eq', 'eq', 'eq list', 'eq list', '!eq',
                   '!eq list', ...RANGES, ...PATTERNS];

const SQL = {
    gt: '>', gte: '>=', lt: '<', lte: '<=', eq: '=', '!eq': '<>',
};


/*
 * Shapes: the query without and with the subscription's condition, which a
 * grouped query has before it groups.  all: there is no predicate.
 */
const from = (head, table, rest = '') => (where) => {
    return `select ${head} from ${table}${where ? ` where ${where}` : ''}`
           + ` ${rest}`;
};

/*
 * Of a set operation the condition is on the result, and each change of each
 * table is a run: not of all the rows of large transactions.
 */
const SMALL = `id < ${BULK}`;

const union = (op, rest = '') => (where) => {
    const query = `select state as src, id, owner, n from items where ${SMALL}`
                  + ` ${op} select region, id, owner, n from parts`;

    return (where ? `select * from (${query}) w where ${where}` : query)
           + ` ${rest}`;
};

const SHAPES = {
    'all columns': { build: from('*', 'items') },
    'some columns': { build: from('id, owner, n, tag', 'items') },
    'a condition': { build: from('id, owner, state, n', 'items'),
                     where: "state = 'open'" },
    'an expression': { build: from('id, n % 3 as rest, upper(tag) as t',
                                   'items'),
                       where: 'n % 3 <> 0 and price is not null' },
    'another key': { build: from('code, owner, n, body', 'items'),
                     pk: 'code' },
    'a composite key': { build: from('region, id, owner, n', 'parts'),
                         pk: 'region,id', fields: ['owner', 'n'],
                         table: 'parts' },
    'a join': { build: from('i.id, i.owner, i.n, o.name', 'items i'
                            + ' join owners o on o.id = i.owner'),
                pk: 'i.id', alias: 'i' },
    'a left join': { build: from('i.id, i.n, o.name', 'items i'
                                 + ' left join owners o on o.id = i.owner'),
                     pk: 'i.id', alias: 'i', where: 'i.n > 20' },
    'groups': { build: from('state, count(*) as c, sum(n) as s, max(at) as m',
                            'items', 'group by state'), pk: 'state' },
    'a count': { build: from('count(*) as c', 'items'), pk: 'c' },
    'having': { build: from('state, avg(price) as a', 'items',
                            'group by state having count(*) > 5'),
                pk: 'state' },
    'distinct': { build: from('distinct state', 'items'), pk: 'state' },
    'a sub-select': { build: from('id, owner, n', 'items'),
                      where: 'owner in (select id from owners'
                             + " where name like '%1%')" },
    'a window': { build: from('id, rank() over (order by n desc, id) as r',
                              'items') },
    'a union': { build: union('union all'), pk: 'src,id',
                 fields: ['owner', 'n', 'id'] },
    'an except': { build: union('except'), pk: 'src,id', fields: ['owner'] },
    'an exact union': { build: union('union',
                                     'order by n desc nulls last, src, id'
                                     + ' limit 7'),
                        pk: 'src,id', fields: ['owner', 'n'], exact: true },
    'a with': { build: (where) => 'with i as (select * from items where'
                                  + ` ${SMALL} and state <> 'done') `
                                  + from('id, n, o.name', 'i left join'
                                         + ' (select id as o, name from owners)'
                                         + ' o on o.o = i.owner')(where),
                alias: 'i' },
    'an exact limit': { build: from('id, n', 'items',
                                    'order by n desc nulls last, id limit 7'),
                        exact: true },
    'all rows': { build: from('id, owner, n', 'items'), where: SMALL,
                  all: true },
    'all parts': { build: from('region, id, n', 'parts'), pk: 'region,id',
                   table: 'parts', all: true },
    'all groups': { build: from('owner as id, count(*) as c', 'items',
                                'group by owner'),
                    where: SMALL + ' and owner is not null', all: true },
};


/*
 * A subscription: what a client sends, the SELECT that gives the truth, and
 * the columns by which its rows are told apart.
 */
export function subscription(r, left = new Set()) {
    for (let i = 0; i < 1000; i++) {
        const shape = r.of(Object.keys(SHAPES));
        const operator = r.of(OPERATORS);

        if (!left.has(shape) && !left.has(operator)
            && fieldsOf(shape, operator).length)
        {
            return make(r, shape, operator);
        }
    }

    throw new Error('nothing is left to subscribe');
}


/* One of each shape, and of each operator with a plain shape. */
export function samples(r) {
    return [...Object.keys(SHAPES).map((shape) => [shape, shape, 'eq']),
            ...new Set(OPERATORS)].map((what) => (
                typeof what == 'string'
                ? { ...make(r, 'some columns', what), what }
                : { ...make(r, what[1], what[2]), what: what[0] }));
}


/* Where a client sees that all before was delivered. */
export function marker() {
    const payload = { topic: 'marks:k', userid: 'soak', table_field: 'k',
                      field_value: '0', equality: 'eq',
                      query: 'select id from marks', event: 'mark', pk: 'id',
                      alias: null };

    return { what: 'the marker', payload, key: ['id'], table: 'marks',
             truth: 'select id from marks where k = 0' };
}


function make(r, name, operator) {
    const shape = SHAPES[name];
    const [equality, list] = operator.split(' ');
    const field = r.of(fieldsOf(name, operator));
    const values = list ? r.some(different(r, FIELDS[field]),
                                 2 + r.below(3)).sort()
                        : [FIELDS[field](r)];
    const column = shape.alias ? `${shape.alias}.${field}` : field;
    const table = shape.table ?? 'items';
    const where = shape.where ?? '';
    const condition = predicate(column, equality, values);
    const payload = {
        userid: 'soak', query: shape.build(where), event: 'rows',
        pk: shape.pk ?? 'id', alias: shape.alias ?? null,
        ...shape.exact ? { exact: true } : {},
        ...shape.all ? {} : { topic: `${table}:${field}`, equality,
                              table_field: column,
                              field_value: list ? values : values[0] },
    };

    return { what: shape.all ? name : `${name}, ${field} ${operator}`, payload,
             table,
             admits: shape.all ? undefined
                               : admission(field, equality, values),
             key: payload.pk.split(',').map((c) => c.split('.').at(-1)),
             truth: shape.all ? payload.query
                    : shape.build(where ? `(${where}) and ${condition}`
                                        : condition) };
}


/* The columns that an operator is tried on; owner is what most ask for. */
function fieldsOf(name, operator) {
    const fields = PATTERNS.includes(operator) ? ['tag', 'state']
                   : RANGES.includes(operator)
                     ? ['n', 'price', 'at', 'id', 'tag', 'owner', 'day', 'ref',
                        'ratio']
                     : ['owner', 'owner', 'owner', 'owner', 'owner', 'state',
                        'state', 'tag', 'n', 'id', 'flag', 'day', 'ref',
                        'ratio', 'at', 'price'];

    return fields.filter((f) => SHAPES[name].fields?.includes(f) ?? true);
}


function predicate(column, equality, values) {
    const [v] = values.map((value) => `'${value}'`);

    switch (equality) {

    case 'contains':
        return `position(${v} in ${column}) > 0`;

    case 'starts_with':
        return `starts_with(${column}, ${v})`;

    case 'ends_with':
        return `right(${column}, length(${v})) = ${v}`;
    }

    if (values.length == 1) {
        return `${column} ${SQL[equality]} ${v}`;
    }

    return `${column} ${equality == 'eq' ? 'in' : 'not in'}`
           + ` (${values.map((value) => `'${value}'`).join(', ')})`;
}


/* Whether a row may come at all, as far as JavaScript can tell. */
function admission(field, equality, values) {
    if (!EQUALITIES.includes(equality) || !PRINTED.includes(field)) {
        return () => true;
    }

    return (row) => row[field] === undefined
                    || (row[field] !== null
                        && values.includes(`${row[field]}`)
                           == (equality == 'eq'));
}


function different(r, value) {
    return [...new Set(Array.from({ length: 40 }, () => value(r)))];
}


export function word(r, n) {
    return Array.from({ length: n }, () => r.of('abcAB'.split(''))).join('');
}


export function time(r) {
    return `2026-01-0${1 + r.below(9)} 0${r.below(10)}:00:00+00`;
}


export function day(r) {
    return `2026-01-${10 + r.below(20)}`;
}


export function uuid(r) {
    return `00000000-0000-0000-0000-${`${r.below(20)}`.padStart(12, '0')}`;
}
