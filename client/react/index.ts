/*
 * Live queries in React.
 */

import { useMemo, useRef, useSyncExternalStore } from 'react';

import type { Kairos } from '../src/kairos.js';
import { keyOf } from '../src/query.js';
import type { Sql } from '../src/sql.js';
import type { Live, LiveOptions, Snapshot } from '../src/types.js';


const NOTHING: Snapshot<never> = { rows: [], status: 'loading',
                                   error: undefined };


/**
 * Follows a query as long as the component is mounted.  Another query or other
 * options begin anew; null follows nothing.
 */
export function useLive<T = Record<string, unknown>>(
    kairos: Kairos, query: Sql | null, options: LiveOptions<T> = {},
): Snapshot<T> {
    const latest = useRef(options);

    latest.current = options;

    const key = query && keyOf(query, options);

    const store = useMemo(() => {
        let live: Live<T> | undefined;

        return {
            subscribe(listener: () => void) {
                if (!query) {
                    return () => {};
                }

                const { compare, ...rest } = latest.current;

                const mine = live = kairos.live<T>(query, {
                    ...rest,
                    ...compare && { compare: (a: T, b: T) => {
                        return (latest.current.compare ?? compare)(a, b);
                    } } });

                const off = mine.subscribe(listener);

                return () => {
                    off();
                    mine.close();

                    if (live == mine) {
                        live = undefined;
                    }
                };
            },

            get: (): Snapshot<T> => live?.snapshot ?? NOTHING,
        };
    }, [kairos, key]);

    return useSyncExternalStore(store.subscribe, store.get, () => NOTHING);
}
