/*
 * A subscription as a page holds it: the snapshot, and what comes after,
 * applied by primary key.
 */

import { LIMIT, until } from './await.mjs';
import { Client, subscription } from './client.mjs';


let users = 0;


export class Live {
    /*
     * Connects, joins a topic of its own, subscribes.  more: over the usual
     * payload.  With join false the route is joined later, by join().
     */
    static async open(base, table, field, value, more = {}, join = true) {
        const live = new Live();
        const name = `subscriber ${++users}`;

        live.client = await Client.connect(base, { name });
        live.own = `user:${users}`;
        live.event = more.event ?? 'rows';
        live.pks = (more.pk ?? 'id').split(',')
                   .map((name) => name.split('.').at(-1));

        await live.client.join(live.own, { userid: live.own });
        live.payload = subscription(table, field, value,
                                    { userid: live.own, ...more });

        const reply = await live.subscribe();

        if (reply.status != 'ok') {
            live.client.ws.terminate();
            throw new Refused(reply.response.reason);
        }

        if (join) {
            await live.join();
        }

        return live;
    }

    async subscribe() {
        const reply = await this.client.call(this.own, 'subscribe',
                                             this.payload);

        if (reply.status == 'ok') {
            this.response = reply.response;
            this.topic = reply.response.route_topics[0];
            this.rows = new Map();

            for (const { database_op: op, ...row } of reply.response.rows) {
                this.rows.set(this.key(row), row);
            }
        }

        return reply;
    }

    join() {
        return this.client.join(this.topic);
    }

    /* The next event's rows; applied as well. */
    async next(what, ms) {
        const payload = await this.client.event(this.topic, this.event, what,
                                                ms);

        this.apply(payload.rows);
        return payload.rows;
    }

    apply(rows) {
        for (const { database_op: op, ...row } of rows) {
            if (op == 'delete') {
                this.rows.delete(this.pks.length == 1 ? `${row.id}`
                                                      : this.key(row));

            } else {
                this.rows.set(this.key(row), row);
            }
        }
    }

    key(row) {
        return this.pks.map((name) => row[name]).join();
    }

    /* Applies what came since, without waiting; gives the events' rows. */
    drain() {
        const rows = [];

        this.client.inbox.items = this.client.inbox.items.filter((text) => {
            const m = typeof text == 'string' && text.startsWith('[')
                      ? JSON.parse(text) : [];

            if (m[2] !== this.topic || m[3] !== this.event) {
                return true;
            }

            rows.push(...m[4].rows);
            return false;
        });

        this.apply(rows);
        return rows;
    }

    /* Waits until the rows are those that the query gives now. */
    async converges(query, stack, ms = LIMIT) {
        let here, there;

        try {
            await until(async () => {
                const rows = await stack.sql(
                    `select row_to_json(q)::text as row from (${query}) q`);

                this.drain();
                here = this.sorted([...this.rows.values()]);
                there = this.sorted(rows.map((r) => JSON.parse(r.row)));
                return here == there;
            }, 'the rows converge', ms, 50);

        } catch (err) {
            err.message += `\nhere:  ${here?.slice(0, 2000)}`
                           + `\nthere: ${there?.slice(0, 2000)}`;
            throw err;
        }
    }

    sorted(rows) {
        return rows.map((row) => [this.key(row), row])
               .sort(([a], [b]) => (a < b ? -1 : 1))
               .map(([, row]) => JSON.stringify(row)).join('\n');
    }

    close() {
        return this.client.close();
    }
}


export class Refused extends Error {
}
