/*
 * The rows of one query by their key, and their changes since the last look.
 * A row that comes again with equal columns stays the object that it was.
 */

import { KairosError } from './errors.js';
import { convert, write } from './json.js';
import type { BigintMode, Change } from './types.js';


type Row = Record<string, any>;

export interface Rows {
    /** Takes these rows for all, in their order. */
    replace(rows: readonly Row[]): void;

    /**
     * Takes the rows of an event.  Throws a KairosError for a row that has
     * not all columns of the key.
     */
    apply(rows: readonly Row[]): void;

    /** All rows now, in the order of arrival. */
    all(): Row[];

    /** The changes since the last call. */
    changes(): Change<Row>[];
}


/**
 * @param names the columns that tell rows apart; none: there is one row
 * @param bigints the columns that are converted
 */
export function rowsBy(names: readonly string[], bigints: readonly string[],
                       mode: BigintMode): Rows {
    let rows = new Map<string, Row>();

    /* the former rows of the keys that were touched since changes() */
    let before = new Map<string, Row | undefined>();

    /*
     * A deleted row holds its key by the columns' names, a key of one column
     * at least as "id".
     */
    function keyOf(row: Row, deleted: boolean): string {
        return write(names.map((name) => {
            if (name in row) {
                return `${row[name]}`;
            }

            if (deleted) {
                return `${row['id']}`;
            }

            throw new KairosError(`the query does not select the key ${name}`);
        }));
    }

    function touch(key: string): Row | undefined {
        const row = rows.get(key);

        if (!before.has(key)) {
            before.set(key, row);
        }

        return row ?? before.get(key);
    }

    return {
        replace(all) {
            [...rows.keys()].forEach(touch);
            rows = new Map();
            this.apply(all);
        },

        apply(some) {
            for (const { database_op, ...row } of some) {
                const deleted = database_op == 'delete';
                const key = keyOf(row, deleted);
                const known = touch(key);

                if (deleted) {
                    rows.delete(key);
                    continue;
                }

                for (const name of bigints) {
                    row[name] = convert(row[name], mode);
                }

                rows.set(key, known && write(known) == write(row)
                              ? known : row);
            }
        },

        all: () => [...rows.values()],

        changes() {
            const changes: Change<Row>[] = [];

            before.forEach((old, key) => {
                const row = rows.get(key);

                if (row != old) {
                    changes.push(!row ? { op: 'delete', row: old! }
                                 : old ? { op: 'update', row, old }
                                 : { op: 'insert', row });
                }
            });

            before = new Map();
            return changes;
        },
    };
}
