/*
 * The connection that the queries and topics of one Kairos share: the socket,
 * a channel of the client's own for subscribes and for new tokens, and the
 * frame in which listeners are called.
 */

import type { Channel, Push } from 'phoenix';

import { KairosError } from './errors.js';
import { call, nextFrame } from './frame.js';
import { type Settings, type Socket, socketTo } from './socket.js';
import type { Room } from './topic.js';
import type { BigintMode, ConnectionStatus, Token } from './types.js';


const RENEW_MS = 60000;         /* before the token expires, at most */
const TIMER_MAX = 2 ** 31 - 1;


/* A query, as the link sees it. */
export interface Follower {
    /* subscribes can be sent from now on */
    start(): void;

    /* subscribes cannot be sent any more */
    stop(): void;

    /* calls the query's listeners */
    publish(): void;
    end(): void;
}


export interface Link {
    /* a random name of this client, for topics and for its own channel */
    readonly id: string;
    readonly timeout: number;
    readonly bigint: BigintMode;
    readonly socket: Socket;
    status: ConnectionStatus;
    error: unknown;

    /* whether subscribes can be sent */
    ready: boolean;

    readonly queries: Map<string, Follower>;
    readonly rooms: Map<string, Room>;
    readonly listeners: Set<() => void>;

    /** Connects at the first call.  Throws a KairosError if it cannot. */
    open(): Link;
    close(): void;

    /** Sends a request on the client's own channel. */
    ask(event: string, payload: object): Promise<any>;

    /** Calls publish() of the query with the next frame. */
    schedule(query: Follower): void;
}


export function linkTo(url: string, settings: Settings): Link {
    const { timeout, bigint } = settings;
    const id = Math.random().toString(36).slice(2);
    const queries: Link['queries'] = new Map();
    const rooms: Link['rooms'] = new Map();
    const listeners: Link['listeners'] = new Set();

    let own: Channel | undefined;
    let ended = false;
    let dirty = new Set<Follower>();
    let renewal: ReturnType<typeof setTimeout> | undefined;

    const socket = socketTo(url, settings, renewLater,
                            (err) => set('connecting', err));

    socket.onOpen(() => set('open'));
    socket.onClose(() => {
        endRenewal();

        if (!ended) {
            set('connecting');
        }
    });

    function set(now: ConnectionStatus, err?: unknown): void {
        if (now != link.status || err != link.error) {
            link.status = now;
            link.error = err;
            listeners.forEach((listener) => call(listener, undefined));
        }
    }

    function stop(): void {
        link.ready = false;
        queries.forEach((query) => query.stop());
    }

    function renewLater(token: Token): void {
        const left = msLeft(token);

        endRenewal();

        if (left > 0) {
            renewal = setTimeout(
                () => renew(token),
                Math.min(Math.max(left * 3 / 4, left - RENEW_MS, 1000),
                         TIMER_MAX));
        }
    }

    /* After a failure the old token stays, and the link tries again. */
    async function renew(token: Token): Promise<void> {
        const mine = renewal;
        let err: unknown;

        try {
            const access_token = await settings.token!();

            if (access_token != token) {
                await link.ask('access_token', { access_token });
                token = access_token;
            }

        } catch (e) {
            err = e;
        }

        /* unless the connection ended meanwhile */
        if (mine == renewal) {
            set(link.status, err);
            renewLater(token);
        }
    }

    function endRenewal(): void {
        clearTimeout(renewal);
        renewal = undefined;
    }

    const link: Link = {
        id, timeout, bigint, socket, queries, rooms, listeners,

        ready: false,
        status: 'closed',
        error: undefined,

        open() {
            if (ended) {
                throw new KairosError('this Kairos was closed', 'closed');
            }

            if (!settings.WebSocket) {
                throw new KairosError('the option WebSocket is missing');
            }

            if (!own) {
                own = socket.channel(`kairos:${id}`);
                own.onError(stop);
                own.join().receive('ok', () => {
                    link.ready = true;
                    queries.forEach((query) => query.start());
                });

                set('connecting');
                socket.connect();
            }

            return link;
        },

        close() {
            ended = true;
            queries.forEach((query) => query.end());
            rooms.forEach(({ members }) => {
                members.forEach((topic) => topic.close());
            });

            stop();
            own?.leave();
            endRenewal();
            socket.disconnect();
            set('closed');
        },

        ask: (event, payload) => answer(own!.push(event, payload, timeout)),

        schedule(query) {
            if (!dirty.size) {
                nextFrame(() => {
                    const now = dirty;

                    dirty = new Set();
                    now.forEach((each) => each.publish());
                });
            }

            dirty.add(query);
        },
    };

    return link;
}


/** The response to a push; rejects with a KairosError. */
export function answer(push: Push): Promise<any> {
    return new Promise((resolve, reject) => {
        push.receive('ok', resolve)
            .receive('error', ({ reason, code }) => {
                reject(new KairosError(reason, code));
            })
            .receive('timeout', () => {
                reject(new KairosError('there is no answer, try again',
                                       'timeout'));
            });
    });
}


/* How long a JSON Web Token is still good for; 0: the token has no exp. */
function msLeft(token: Token): number {
    try {
        const claims = token!.split('.')[1]!.replace(/-/g, '+')
                                            .replace(/_/g, '/');

        return JSON.parse(atob(claims)).exp * 1000 - Date.now();

    } catch {
        return 0;
    }
}
