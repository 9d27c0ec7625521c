/*
 * The connection, and one live query on it.
 */

import { Kairos, sql } from 'kairos-nginx-client';


/* Calls state() with "connecting", "live" and "reconnecting". */
export function connect(url, state) {
    const kairos = new Kairos(url);
    let before = false;

    kairos.subscribe(({ status }) => {
        before ||= status == 'open';
        state(status == 'open' ? 'live'
              : before ? 'reconnecting' : 'connecting');
    });

    return kairos;
}


/*
 * The posts of some users.  The view has reset(rows), upsert(row, op),
 * remove(id) and refused(reason).
 */
export class LivePosts {
    constructor(kairos, view) {
        this.kairos = kairos;
        this.view = view;
        this.end = () => {};
    }

    show(users) {
        this.end();
        this.end = () => {};

        if (users.length == 0) {
            this.view.reset([]);
            return;
        }

        const live = this.kairos.live(
            sql`select id, userid, author, content, updated_at
                from posts order by id desc limit 100`,
            { field: 'userid', value: users });

        this.shown = false;

        const off = live.subscribe((update) => this.apply(update));

        this.end = () => {
            off();
            live.close();
        };
    }

    apply({ rows, changes, status, error }) {
        if (status == 'refused') {
            this.shown = false;
            this.view.refused(error.message);

        } else if (!this.shown) {
            if (status == 'live') {
                this.shown = true;
                this.view.reset(rows);
            }

        } else {
            for (const { op, row } of changes) {
                if (op == 'delete') {
                    this.view.remove(row.id);

                } else {
                    this.view.upsert(row, op);
                }
            }
        }
    }
}
