/*
 * The types that applications see.
 */

import type { KairosError } from './errors.js';


export type Token = string | null | undefined;

/** The form of integers beyond 2^53. */
export type BigintMode = 'string' | 'number' | 'bigint';

/** closed: before the first query or topic, and after close(). */
export type ConnectionStatus = 'connecting' | 'open' | 'closed';

export interface KairosOptions {
    /**
     * Gives the token of the user who is logged in.  It is called before each
     * connect and before the token expires.
     */
    token?: () => Token | Promise<Token>;

    /** `string` if left out; `number` rounds such integers. */
    bigint?: BigintMode;

    /** The longest wait for an answer, in ms: 15000 if left out. */
    timeout?: number;

    /** The class WebSocket, where there is no global one: node before 22. */
    WebSocket?: unknown;
}


export interface TopicOptions {
    /** false: leaves out the messages that this client itself sent. */
    self?: boolean;
}


/**
 * loading: there are no rows yet.  live: the rows follow the database.
 * stale: the rows were right, and the client is about to update them.
 * refused: the server does not serve the query; the client tries again now
 * and then.  closed: after close().
 */
export type Status = 'loading' | 'live' | 'stale' | 'refused' | 'closed';

export type Scalar = string | number | bigint | boolean | Date;

export interface QueryOptions {
    /**
     * The column that finds the changed rows: `game` or `s.game`.  Without it
     * the rows are all of the query.
     */
    field?: string;

    /** How `field` compares with `value`; `eq` if left out. */
    op?: 'eq' | '!eq' | 'gt' | 'gte' | 'lt' | 'lte' | 'contains'
         | 'starts_with' | 'ends_with';

    /** A value; of `eq` and `!eq` also a list. */
    value?: Scalar | readonly Scalar[];

    /**
     * The columns that tell rows apart; the query must select them.  `id` if
     * left out, [] for the one row of an aggregate.
     */
    key?: string | readonly string[];

    /**
     * Whether LIMIT and OFFSET hold after the first rows, too: true if the
     * query has one and this is left out.
     */
    exact?: boolean;

    /** Columns with all integers in the form of the option `bigint`. */
    bigints?: readonly string[];
}

export interface LiveOptions<T> extends QueryOptions {
    /**
     * The order of the rows, as for Array.sort.  Without it the first rows
     * stand in the query's order, and later rows behind them.
     */
    compare?: (a: T, b: T) => number;
}

/** The state of a live query.  A change makes a new object. */
export interface Snapshot<T> {
    readonly rows: readonly T[];
    readonly status: Status;
    readonly error: KairosError | undefined;
}

export interface Update<T> extends Snapshot<T> {
    /** The changes of rows since the last call. */
    readonly changes: readonly Change<T>[];
}

/** The change of one row. */
export type Change<T> =
    | { readonly op: 'insert'; readonly row: T }
    | { readonly op: 'update'; readonly row: T; readonly old: T }
    | { readonly op: 'delete'; readonly row: T };

/** A live query: its rows follow the database. */
export interface Live<T> extends AsyncIterable<readonly T[]> {
    /** All rows; another array whenever one of them changed. */
    readonly rows: readonly T[];

    readonly status: Status;

    /** The reason of a refusal, or of a query that is not live. */
    readonly error: KairosError | undefined;

    /** rows, status and error; another object whenever one changed. */
    readonly snapshot: Snapshot<T>;

    /** Resolves when the status is live, rejects when it is refused. */
    readonly ready: Promise<Live<T>>;

    /**
     * Calls the listener now, and after each change of rows or status: once
     * per frame at most.  Returns a function that removes the listener.
     */
    subscribe(listener: (update: Update<T>) => void): () => void;

    /** All rows, now and after each change.  Throws when refused. */
    [Symbol.asyncIterator](): AsyncGenerator<readonly T[], void>;

    /** Ends this Live.  The last Live of a query ends the subscription. */
    close(): void;
}

/** A topic that was joined. */
export interface Topic {
    readonly name: string;

    /** Resolves when it is joined; rejects when the server refuses it. */
    readonly ready: Promise<Topic>;

    /**
     * Calls the listener for each such event.  Returns a function that
     * removes the listener.
     */
    on<B = any>(event: string, listener: (body: B) => void): () => void;

    /**
     * Sends any JSON, or an ArrayBuffer, to all members.  Resolves when the
     * server has accepted the message, rejects with a KairosError.
     */
    send(event: string, body?: unknown): Promise<void>;

    /** Removes the listeners.  The last Topic of a name leaves the topic. */
    close(): void;
}
