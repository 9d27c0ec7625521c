/*
 * A connection to a location of nginx that has the directive `kairos`.
 */

import { call } from './frame.js';
import { type Link, linkTo } from './link.js';
import { liveOf } from './live.js';
import { queryOf } from './query.js';
import type { Sql } from './sql.js';
import { topicOf } from './topic.js';
import type { ConnectionStatus, KairosOptions, Live, LiveOptions, Topic,
              TopicOptions } from './types.js';


export class Kairos {
    #link: Link;

    /**
     * @param url of the location, as "/realtime" or "wss://example.org/live".
     * It is connected to with the first query or topic.
     */
    constructor(url: string, options: KairosOptions = {}) {
        this.#link = linkTo(url, { bigint: 'string', timeout: 15000,
                                   WebSocket: globalThis.WebSocket,
                                   ...options });
    }

    /** A query whose rows follow the database; shared by equal queries. */
    live<T = Record<string, unknown>>(query: Sql,
                                      options: LiveOptions<T> = {}): Live<T> {
        return liveOf(queryOf(this.#link.open(), query, options),
                      options.compare);
    }

    /** Joins a topic. */
    topic(name: string, options: TopicOptions = {}): Topic {
        return topicOf(this.#link.open(), name, options.self);
    }

    /** closed: before the first query or topic, and after close(). */
    get status(): ConnectionStatus {
        return this.#link.status;
    }

    /** The last failure of token() or of a renewal; else undefined. */
    get error(): unknown {
        return this.#link.error;
    }

    /**
     * Calls the listener now, and after each change of status or error.
     * Returns a function that removes the listener.
     */
    subscribe(listener: (kairos: this) => void): () => void {
        const { listeners } = this.#link;
        const tell = (): void => listener(this);

        listeners.add(tell);
        call(tell, undefined);
        return () => { listeners.delete(tell); };
    }

    /** Ends all queries and topics, and the connection. */
    close(): void {
        this.#link.close();
    }
}
