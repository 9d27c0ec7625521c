/*
 * The connection, and one live query on it.
 */

import { NexusRT } from '@nexusrt/kairos';


const EVENT = 'posts';
const RETRY = 5000;       /* ms, after a query was refused */


/*
 * Connects and joins `topic`; tries again until it works.  state(name) is
 * told "connecting", "live" and "reconnecting".
 */
export async function connect(url, topic, state) {
    state('connecting');

    for (let wait = 500; ; wait = Math.min(wait * 2, 8000)) {
        try {
            const userid = crypto.randomUUID();
            const nexus = await NexusRT.create(url, undefined, { userid });

            nexus.connect();

            const own = await nexus.useUserChannel(topic, { userid });

            state('live');
            own.socket.onError(() => state('reconnecting'));
            own.socket.onClose(() => state('reconnecting'));
            own.socket.onOpen(() => state('live'));
            return { nexus, socket: own.socket };

        } catch (err) {
            console.warn(`could not connect to ${url}`, err);
            await new Promise((resolve) => setTimeout(resolve, wait));
        }
    }
}


/*
 * The posts of some users.  The view has reset(rows), upsert(row, op),
 * remove(id) and refused(reason).
 */
export class LivePosts {
    constructor({ nexus, socket }, view) {
        this.nexus = nexus;
        this.view = view;
        this.users = [];
        this.asked = 0;
        this.channels = [];

        nexus.on(EVENT, ({ rows }, { topic }) => {
            if (this.channels.some((channel) => channel.topic == topic)) {
                this.apply(rows);
            }
        });

        /*
         * phoenix.js joins the route again by itself, and what was missed
         * comes if it is still kept; a new snapshot is right in any case.
         */
        socket.onOpen(() => this.show(this.users));
    }

    async show(users) {
        const asked = ++this.asked;

        this.users = users;
        this.leave();

        if (users.length == 0) {
            this.view.reset([]);
            return;
        }

        try {
            const { result, channels } = await this.nexus
                .select('id, userid, author, content, updated_at')
                .from('posts').orderBy('id').limit(100)
                .subscribeAndJoinRoutes({
                    table: 'posts', pk: 'id', event: EVENT,
                    tableField: 'userid', equality: 'eq',
                    fieldValue: users,
                });

            if (asked != this.asked) {
                for (const channel of channels) {
                    channel.leave();
                }

                return;
            }

            this.view.reset(result.rows);
            this.channels = channels;

            for (const channel of channels) {
                /* the server cannot go on without a gap: start anew */
                channel.onError(() => {
                    if (channel.socket.isConnected()) {
                        this.show(this.users);
                    }
                });
            }

        } catch (err) {
            if (asked == this.asked) {
                this.view.refused(err.reason ?? err.message);
                setTimeout(() => this.again(asked), RETRY);
            }
        }
    }

    /* what was refused may be served by now */
    again(asked) {
        if (asked == this.asked) {
            this.show(this.users);
        }
    }

    leave() {
        for (const channel of this.channels) {
            channel.leave();
        }

        this.channels = [];
    }

    apply(rows) {
        for (const { database_op: op, ...row } of rows) {
            if (op == 'delete') {
                this.view.remove(row.id);

            } else {
                this.view.upsert(row, op);
            }
        }
    }
}
