/*
 * Whatever the SDK's builder can write: a page that applies the events has
 * what the query and the predicate give, after each of many changes.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import './lib/browser.mjs';
import { NexusRT } from '@nexusrt/kairos';

import { until, within } from './lib/await.mjs';
import { startStack } from './lib/stack.mjs';


let stack;

before(async () => {
    stack = await startStack({ workers: 1, setup: `
        create schema app;
        create table users (id int primary key, name text, boss int);
        create table posts (id int primary key, userid int, kind text,
                            score int, at date);
        create table tags (postid int, tag text, primary key (postid, tag));
        create table app."Odd Posts" (id int primary key, "userId" int);
        alter table posts replica identity full;
        alter table users replica identity full;
        alter table app."Odd Posts" replica identity full;` });
});

after(() => stack?.stop());


/* what may happen to a page's data; user 7 is the one that is watched */
const CHANGES = [
    "insert into users values (7, 'ann', null), (8, 'bob', 7)",
    "insert into posts values (1, 7, 'a', 5, '2024-01-01'),"
    + " (2, 7, 'b', 1, '2024-02-01'), (3, 8, 'a', 9, '2024-03-01'),"
    + " (4, 7, 'a', null, null)",
    "insert into tags values (1, 'x'), (1, 'y'), (2, 'x'), (3, 'x')",
    'insert into app."Odd Posts" values (1, 7), (2, 8), (3, 7)',
    'update posts set score = score + 1',
    "update users set name = 'eve' where id = 7",
    'update posts set userid = 7 where id = 3',
    'update posts set userid = 8 where id = 1',
    "update posts set kind = 'b' where id = 4",
    "delete from tags where tag = 'x' and postid = 3",
    'update app."Odd Posts" set "userId" = 15 - "userId"',
    "insert into posts values (5, 7, 'c', 100, '2025-01-01')",
    'update posts set id = 6 where id = 5',
    'delete from posts where id = 2',
    'update users set boss = 8 where id = 7',
    "begin; insert into posts values (7, 7, 'd', 7); update posts set kind ="
    + " 'e' where id = 7; delete from posts where id = 3; commit",
    'delete from users where id = 8',
    'truncate tags',
    "insert into users values (8, 'rob', 7)",
    'delete from posts',
    'delete from app."Odd Posts"',
    'delete from users',
];

const U = 'users u on u.id = p.userid';

/*
 * The parts of a query; field and pk as the page names them; key: of a row,
 * if it is not called like pk; is: the predicate in SQL.
 */
const FORMS = {
    'select, from': { select: '*', from: 'posts' },
    'columns, under other names': {
        select: 'id, kind as "Kind", score * 2 as twice', from: 'posts' },
    'where': { select: '*', from: 'posts',
               where: "kind = 'a' or score > 4" },
    'order by': { select: '*', from: 'posts', orderBy: 'score, id' },
    'limit': { select: '*', from: 'posts', orderBy: 'id', limit: 50 },
    'an alias': { select: 'p.*', from: 'posts p', alias: 'p' },
    'an alias, and as': { select: 'p.id, p.kind', from: 'posts as p',
                          field: 'p.userid', pk: 'p.id', alias: 'p' },
    'the table as its alias': { select: 'posts.*', from: 'posts',
                                field: 'posts.userid', pk: 'posts.id' },
    'a schema, and names in quotes': {
        select: '*', from: 'app."Odd Posts"', table: 'app.Odd Posts',
        field: '"userId"', is: '"userId" = 7' },
    'one join': { select: 'p.id, u.name', from: 'posts p', joins: [U],
                  field: 'p.userid', pk: 'p.id', alias: 'p' },
    'one join, only the alias': {
        select: 'p.id, u.name', from: 'posts p', joins: [U], alias: 'p',
        is: 'p.userid = 7' },
    'one join, only the topic': {
        select: 'p.id, u.name', from: 'posts p', joins: [U],
        is: 'p.userid = 7' },
    'the other table\'s field': {
        select: 'p.id, u.name', from: 'posts p', joins: [U], table: 'users',
        field: 'u.id', pk: 'p.id' },
    'three joins': {
        select: 'p.id, u.name, b.name as boss, t.tag', from: 'posts p',
        joins: [U, 'users b on b.id = u.boss', 'tags t on t.postid = p.id'],
        field: 'p.userid', pk: 't.postid,t.tag', key: ['id', 'tag'] },
    'an outer join': {
        select: 'p.id, u.name', from: `posts p left join ${U}`,
        field: 'p.userid', pk: 'p.id' },
    'using, and a comma': {
        select: 'p.id, u.id as uid', from: 'posts p, users u',
        where: 'u.id = p.userid', field: 'p.userid', pk: 'p.id' },
    'a join of a sub-select': {
        select: 'p.id, t.n', from: 'posts p', joins: [
            '(select postid, count(*) as n from tags group by postid) t'
            + ' on t.postid = p.id'],
        field: 'p.userid', pk: 'p.id', alias: 'p' },
    'group by': {
        select: 'kind, count(*) as n, max(score) as top', from: 'posts',
        groupBy: 'kind', pk: 'kind' },
    'group by two': {
        select: 'kind, at, count(*) as n', from: 'posts',
        where: 'at is not null', groupBy: 'kind, at', pk: 'kind,at' },
    'having': {
        select: 'kind, sum(score) as total', from: 'posts', groupBy: 'kind',
        having: 'sum(score) > 5', pk: 'kind' },
    'all in one': {
        select: 'p.userid, u.name, count(t.tag) as n', from: 'posts p',
        joins: [U, 'tags t on t.postid = p.id'], where: "p.kind <> 'z'",
        groupBy: 'p.userid, u.name', having: 'count(*) > 0',
        orderBy: 'count(*)', limit: 50, field: 'p.userid', pk: 'p.userid',
        alias: 'p' },
    'the key under another name': {
        select: 'p.userid as who, u.id, count(*) as n', from: 'posts p',
        joins: [U], groupBy: '1, 2', field: 'p.userid', pk: 'p.userid',
        key: ['who'] },
    'distinct': { select: 'distinct kind', from: 'posts', where: 'kind <> \'q\'',
                  pk: 'kind' },
    'a window function': {
        select: 'id, rank() over (order by score desc, id) as r',
        from: 'posts' },
    'an aggregate alone': { select: '1 as id, count(*) as n', from: 'posts' },
    'exists': {
        select: 'id, kind', from: 'posts p',
        where: 'exists (select from tags t where t.postid = p.id)' },
    'a sub-select as from': {
        select: 's.id, s.n', from: '(select p.id, p.userid, count(t.tag) as n'
        + ' from posts p left join tags t on t.postid = p.id group by p.id) s',
        alias: 's' },
    'a union as from': {
        select: '*', from: "(select id, userid, 'p' as src from posts union all"
        + ' select id, "userId", \'o\' from app."Odd Posts") w',
        pk: 'src,id' },
};


/* more: a part of where, for what is expected */
function build(nexus, f, more) {
    const where = [f.where && `(${f.where})`, more].filter(Boolean);

    nexus.select(f.select).from(f.from);
    (f.joins ?? []).forEach((join) => nexus.join(join));
    where.length && nexus.where(more ? where.join(' and ') : f.where);
    f.groupBy && nexus.groupBy(f.groupBy);
    f.having && nexus.having(f.having);

    if (!more) {
        f.orderBy && nexus.orderBy(f.orderBy);
        f.limit && nexus.limit(f.limit);
    }

    return nexus;
}


class Page {
    /* its rows, by key, as the events have them */
    constructor(nexus, f, name) {
        this.key = f.key ?? (f.pk ?? 'id').split(',')
                   .map((pk) => pk.split('.').at(-1));
        this.pks = (f.pk ?? 'id').split(',');
        this.rows = new Map();
        nexus.on(name, ({ rows }) => this.apply(rows));
    }

    apply(rows) {
        for (const { database_op: op, ...row } of rows) {
            if (op != 'delete') {
                this.rows.set(this.of(row), row);

            } else {
                /* "id" is the key, unless a column of it is called so */
                this.rows.delete(this.pks.includes('id') ? this.of(row)
                                 : [row.id].flat().join());
            }
        }
    }

    of(row) {
        return this.key.map((name) => row[name]).join();
    }
}


describe('each form, after each change', () => {
    for (const [what, f] of Object.entries(FORMS)) {
        test(what, async (t) => {
            const nexus = await NexusRT.create(stack.base, undefined,
                                               { userid: 'u' });

            t.after(() => nexus.disconnect());
            nexus.connect();
            await within(nexus.useUserChannel('builder', { userid: 'u' }),
                         'the join');

            const field = f.field ?? 'userid';
            const expected = build(nexus, f, f.is ?? `${field} = 7`)
                             .buildQuery();

            nexus.resetQueryState();

            const page = new Page(nexus, f, 'changes');
            const args = { table: f.table ?? 'posts', tableField: field,
                           fieldValue: '7', equality: 'eq', event: 'changes',
                           pk: f.pk ?? 'id', alias: f.alias };

            const { result } = await within(
                build(nexus, f).subscribeAndJoinRoutes(args), 'subscribe');

            page.apply(result.rows);

            for (const sql of CHANGES) {
                let here, there;

                await stack.sql(sql);

                await until(async () => {
                    const rows = await stack.sql(
                        'select row_to_json(q)::text as row'
                        + ` from (${expected}) q`);

                    here = [...page.rows.values()].map((r) => JSON.stringify(r))
                           .sort();
                    there = rows.map((r) => JSON.stringify(JSON.parse(r.row)))
                            .sort();
                    return here.join() == there.join();
                }, 'the page has what the query gives', undefined, 5)
                .catch((err) => {
                    err.message += `\nafter ${sql}\nof    ${expected}\n`
                                   + `here  ${here}\nthere ${there}`;
                    throw err;
                });
            }

            assert.equal(page.rows.size, f.select.includes('1 as id') ? 1 : 0);
        });
    }
});
