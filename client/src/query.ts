/*
 * A query that the client follows as long as the application holds a Live of
 * it.
 *
 * The client subscribes to a lost query again, for whatever reason the query
 * was lost, and replaces the rows in one step.  After a lost connection
 * phoenix.js joins the route again, and the server sends the missed events or
 * refuses the join.
 */

import type { Channel } from 'phoenix';

import { type KairosError, isPassing } from './errors.js';
import { write } from './json.js';
import type { Follower, Link } from './link.js';
import { rowsBy } from './rows.js';
import { wait } from './socket.js';
import type { Sql } from './sql.js';
import type { Change, QueryOptions, Snapshot, Status } from './types.js';


const AGAIN_MS = 200;           /* first wait after a query was lost */
const REFUSED_MS = 2000;        /* first wait after a refusal */
const STEADY_MS = 10000;        /* a route of this age resets the waits */


/** Equal keys mean equal queries: the key is the payload, as JSON. */
export function keyOf({ text: query }: Sql, o: QueryOptions): string {
    return write([{
        query,
        table_field: o.field,
        equality: o.op ?? (o.field && 'eq'),
        field_value: o.value,
        pk: pkOf(o) || undefined,
        exact: o.exact ?? /\b(limit|offset|fetch)\b/i.test(query),
    }, o.bigints]);
}


function pkOf({ key = 'id' }: QueryOptions): string {
    return `${key}`;
}


type State = Omit<Snapshot<any>, 'rows'>;

/* A Live, as its query sees it. */
export interface Listener {
    close(): void;
    publish(changes: readonly Change<any>[]): void;
}

export interface Query extends Follower {
    /* the last published state */
    readonly snapshot: Snapshot<any>;

    enter(live: Listener): void;

    /* returns false if the Live had left before */
    leave(live: Listener): boolean;
}


/** The query of the link with this key; follows it if there is none yet. */
export function queryOf(link: Link, sql: Sql, o: QueryOptions): Query {
    const key = keyOf(sql, o);
    let query = link.queries.get(key) as Query | undefined;

    if (!query) {
        query = follow(link, key, o);
        link.queries.set(key, query);

        if (link.ready) {
            query.start();
        }
    }

    return query;
}


function follow(link: Link, key: string, o: QueryOptions): Query {

    /*
     * The server makes a route for each event name.  So two queries of this
     * client never share a route, even if the server finds them equal, and
     * equal queries of many clients do.
     */
    const event = `rows:${hash(key)}`;
    const payload = { ...JSON.parse(key)[0], event };
    const lives = new Set<Listener>();

    /* the column of "s.id" is "id" */
    const held = rowsBy(pkOf(o).match(/[^.,\s]+(?=\s*(,|$))/g) ?? [],
                        o.bigints ?? [], link.bigint);

    /* the state now, and the state in the snapshot */
    let state: State = { status: 'loading', error: undefined };
    let shown = state;
    let snapshot: Query['snapshot'] = { rows: [], ...state };
    let loaded = false;

    let route: Channel | undefined;
    let joinedMs = 0;

    /* the number of the last subscribe; replies to earlier ones are dropped */
    let turn = 0;
    let tries = 0;
    let timer: ReturnType<typeof setTimeout> | undefined;

    function set(status: Status, error?: KairosError): void {
        state = { status, error };
        link.schedule(query);
    }

    function stale(): void {
        if (state.status == 'live') {
            set('stale');
        }
    }

    function halt(): void {
        clearTimeout(timer);
        turn++;
    }

    function later(firstMs: number): void {
        halt();

        if (link.ready) {
            timer = setTimeout(subscribe, wait(firstMs, ++tries));
        }
    }

    function drop(): void {
        const old = route;

        route = undefined;
        joinedMs = 0;
        old?.leave();
    }

    async function subscribe(): Promise<void> {
        halt();

        const mine = turn;

        try {
            const { rows, route_topics: [topic] }
                = await link.ask('subscribe', payload);

            if (mine == turn) {
                held.replace(rows);
                loaded = true;
                join(topic);
                link.schedule(query);
            }

        } catch (err) {
            if (mine == turn) {
                failed(err as KairosError);
            }
        }
    }

    function failed(err: KairosError): void {
        if (isPassing(err)) {
            set(loaded ? 'stale' : 'loading', err);
            later(AGAIN_MS);

        } else {
            set('refused', err);
            later(REFUSED_MS);
        }
    }

    function join(topic: string): void {
        const channel = link.socket.channel(topic);

        /* messages of a route that the client has left are dropped */
        const current = (fn: (message: any) => void) => (message: any) => {
            if (channel == route) {
                fn(message);
            }
        };

        const ended = current(lost);

        drop();
        route = channel;

        channel.on(event, current(({ rows }) => {
            try {
                held.apply(rows);
                link.schedule(query);

            } catch (err) {
                failed(err as KairosError);
            }
        }));

        channel.onError(ended);
        channel.onClose(ended);

        channel.join(link.timeout)
               .receive('ok', current(() => {
                   joinedMs ||= Date.now();
                   set('live');
               }))
               .receive('error', ended)
               .receive('timeout', ended);
    }

    /*
     * Handles the end of the route.  phoenix.js joins a joined route again
     * after a lost connection; every other end is final.
     */
    function lost(why: any): void {
        stale();

        if (joinedMs) {
            if (why?.source == 'transport') {
                return;
            }

            if (Date.now() - joinedMs > STEADY_MS) {
                tries = 0;
            }
        }

        drop();
        later(AGAIN_MS);
    }

    const query: Query = {
        enter(live) {
            lives.add(live);
        },

        leave(live) {
            /* React closes and opens again in the same turn */
            setTimeout(() => {
                if (!lives.size) {
                    query.end();
                }
            });

            return lives.delete(live);
        },

        get snapshot() {
            return snapshot;
        },

        start() {
            if (!route) {
                subscribe();
            }
        },

        stop() {
            halt();
            stale();
        },

        end() {
            halt();
            drop();

            if (link.queries.get(key) == query) {
                link.queries.delete(key);
            }

            lives.forEach((live) => live.close());
        },

        publish() {
            const changes = held.changes();
            const old = snapshot.rows;
            const all = held.all();

            const rows = all.length == old.length
                         && all.every((row, i) => row == old[i]) ? old : all;

            if (rows != old || state != shown) {
                shown = state;
                snapshot = { rows, ...state };
                lives.forEach((live) => live.publish(changes));
            }
        },
    };

    return query;
}


function hash(text: string): number {
    let h = 0;

    for (const letter of text) {
        h = Math.imul(h, 31) + letter.charCodeAt(0) | 0;
    }

    return h;
}
