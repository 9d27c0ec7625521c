/*
 * A live query, as an application holds it.
 */

import { KairosError } from './errors.js';
import { call } from './frame.js';
import type { Query } from './query.js';
import type { Change, Live, Snapshot, Update } from './types.js';


export function liveOf<T>(query: Query, compare?: (a: T, b: T) => number):
    Live<T>
{
    const listeners = new Set<(update: Update<T>) => void>();

    /* the query's rows, and the same in order */
    let source: readonly T[] | undefined;
    let rows: readonly T[] = [];

    let snapshot = view();

    function view(): Snapshot<T> {
        const now = query.snapshot;

        if (now.rows != source) {
            source = now.rows;
            rows = compare ? [...now.rows].sort(compare) : now.rows;
        }

        return { ...now, rows };
    }

    function update(now: Snapshot<T>, changes: readonly Change<T>[]): void {
        snapshot = now;
        listeners.forEach((listener) => call(listener, { ...now, changes }));
    }

    function next(): Promise<void> {
        return new Promise((resolve) => {
            const off = listen(() => {
                off();
                resolve();
            });
        });
    }

    function listen(listener: (update: Update<T>) => void): () => void {
        listeners.add(listener);
        return () => { listeners.delete(listener); };
    }

    async function settle(): Promise<Live<T>> {
        while (snapshot.status == 'loading' || snapshot.status == 'stale') {
            await next();
        }

        if (snapshot.status == 'live') {
            return live;
        }

        throw snapshot.error ?? new KairosError('the query was closed',
                                                'closed');
    }

    const live: Live<T> = {
        get rows() {
            return snapshot.rows;
        },

        get status() {
            return snapshot.status;
        },

        get error() {
            return snapshot.error;
        },

        get snapshot() {
            return snapshot;
        },

        get ready() {
            return settle();
        },

        subscribe(listener) {
            call(listener, { ...snapshot, changes: [] });
            return listen(listener);
        },

        async *[Symbol.asyncIterator]() {
            let last: readonly T[] | undefined;

            while (snapshot.status != 'closed') {
                if (snapshot.status == 'refused') {
                    throw snapshot.error;
                }

                if (snapshot.status != 'loading' && snapshot.rows != last) {
                    yield last = snapshot.rows;

                } else {
                    await next();
                }
            }
        },

        close() {
            if (query.leave(follower)) {
                update({ ...snapshot, status: 'closed' }, []);
                listeners.clear();
            }
        },
    };

    const follower = { close: live.close,
                       publish: (changes: readonly Change<T>[]) => {
                           update(view(), changes);
                       } };

    query.enter(follower);
    return live;
}
