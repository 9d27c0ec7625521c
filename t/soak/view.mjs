/*
 * A subscription as a page holds it: rows by their key, from the snapshot
 * and from the events after it, and what happened to each of them.
 */

const TRAIL = 8;                /* what is kept of each row's life */
const LIFE = 60;                /* and of the subscription's */


export class View {
    constructor(spec) {
        this.spec = spec;
        this.rows = new Map();
        this.trail = new Map();
        this.life = [];
        this.topic = null;
        this.joined = false;
        this.events = 0;
        this.heard = 0;         /* events, and that it has to subscribe */
        this.told = 0;
        this.strays = [];       /* rows that are of another subscription */
    }

    note(what) {
        this.life.push(`${clock()} ${what}`);

        if (this.life.length > LIFE) {
            this.life.shift();
        }
    }

    /* A fresh view: what was there before is forgotten. */
    begin({ rows, route_topics: [topic] }) {
        this.topic = topic;
        this.rows = new Map();
        this.trail = new Map();
        this.note(`subscribed: ${rows.length} rows, ${topic.slice(0, 11)}`);
        this.apply({ rows, position: 'snapshot' });
    }

    /* The server said that it cannot go on without a gap. */
    tell(reason) {
        this.note(`told: ${reason}`);
        this.topic = null;
        this.joined = false;
        this.heard++;
        this.told++;
    }

    apply({ rows, position }) {
        for (const { database_op: op, ...row } of rows) {
            const key = this.keyOf(row);

            if (this.drop?.({ key, op })) {
                continue;
            }

            this.events++;
            this.heard += op != 'query';
            this.record(key, `${clock()} ${op} at ${position}`);

            if (op == 'delete') {
                this.rows.delete(key);

            } else {
                this.rows.set(key, JSON.stringify(row));

                if (!(this.spec.admits?.(row) ?? true)) {
                    this.strays.push(`${op} ${JSON.stringify(row)}`);
                }
            }
        }
    }

    keyOf(row) {
        return this.spec.key.map((c) => `${row[c] ?? row.id}`).join(',');
    }

    record(key, what) {
        const list = this.trail.get(key) ?? [];

        list.push(what);

        if (list.length > TRAIL) {
            list.shift();
        }

        this.trail.set(key, list);
    }

    /* Keys that the rows of the truth have and ours have not, or so. */
    compare(truth) {
        const lacks = [], more = [], differs = [];

        for (const [key, row] of truth) {
            const mine = this.rows.get(key);

            if (mine == null) {
                lacks.push(key);

            } else if (mine != row) {
                differs.push(key);
            }
        }

        for (const key of this.rows.keys()) {
            if (!truth.has(key)) {
                more.push(key);
            }
        }

        return { lacks, more, differs,
                 n: lacks.length + more.length + differs.length };
    }
}


export function clock() {
    return new Date().toISOString().slice(11, 23);
}
