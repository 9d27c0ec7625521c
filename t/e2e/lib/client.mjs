/*
 * A client that shows every byte: frames of Phoenix Channels V2 as text over
 * a WebSocket of the ws package.
 */

import WebSocket from 'ws';

import { Inbox, within } from './await.mjs';


export class Client {
    /* query: of the URL, without "?"; options: of ws */
    static async connect(base, { query = 'vsn=2.0.0', name = 'a client',
                                 ...options } = {}) {
        const client = new Client();
        const ws = new WebSocket(`${base}/websocket?${query}`, options);

        client.ws = ws;
        client.name = name;
        client.refs = 0;
        client.inbox = new Inbox(name);

        client.closed = new Promise((resolve) => {
            ws.on('close', (code, reason) => {
                resolve({ code, reason: reason.toString() });
                client.inbox.put(`closed ${code}`);
            });
        });

        ws.on('message', (data, binary) => {
            client.inbox.put(binary ? data : data.toString());
        });

        await within(new Promise((resolve, reject) => {
            ws.on('open', resolve);
            ws.on('error', reject);
        }), `${name}: the connection is open`);

        ws.on('error', () => {});
        return client;
    }

    send(text) {
        this.ws.send(typeof text == 'string' || Buffer.isBuffer(text)
                     ? text : JSON.stringify(text));
    }

    /* The next frame, as its exact text. */
    text(what, ms) {
        return this.inbox.take(what, ms);
    }

    /* Sends a message with a new ref and gives the phx_reply to it. */
    async call(topic, event, payload = {}, joinRef = this.joins?.[topic]) {
        const ref = `r${++this.refs}`;

        this.send([joinRef ?? null, ref, topic, event, payload]);
        return this.replyTo(ref, `${event} on ${topic}`);
    }

    async replyTo(ref, what) {
        const text = await this.inbox.find((frame) => {
            return typeof frame == 'string' && !frame.startsWith('closed')
                   && JSON.parse(frame)[1] === ref
                   && JSON.parse(frame)[3] == 'phx_reply';
        }, `the reply to ${what}`);

        return JSON.parse(text)[4];
    }

    /* Joins; throws what the server said when it refuses. */
    async join(topic, payload = {}) {
        const ref = `j${++this.refs}`;

        this.send([ref, ref, topic, 'phx_join', payload]);

        const reply = await this.replyTo(ref, `phx_join of ${topic}`);

        if (reply.status != 'ok') {
            throw new Error(`the join of ${topic} was refused: `
                            + JSON.stringify(reply.response));
        }

        (this.joins ??= {})[topic] = ref;
        return reply.response;
    }

    push(topic, event, payload) {
        this.send([this.joins[topic], `p${++this.refs}`, topic, event,
                   payload]);
    }

    /* The next broadcast of this event on this topic: its payload. */
    async event(topic, event, what = `"${event}" on ${topic}`, ms) {
        const text = await this.inbox.find((frame) => {
            if (typeof frame != 'string' || frame.startsWith('closed')) {
                return false;
            }

            const m = JSON.parse(frame);

            return m[2] === topic && m[3] === event;
        }, what, ms);

        return JSON.parse(text)[4];
    }

    /*
     * Nothing but this may have come: sends a heartbeat, and takes all frames
     * up to its answer; what was sent before it was handled before it.
     */
    async pending() {
        const ref = `h${++this.refs}`;
        const seen = [];

        this.send([null, ref, 'phoenix', 'heartbeat', {}]);

        for (;;) {
            const text = await this.text('the answer to a heartbeat');

            if (text.startsWith?.('closed')) {
                throw new Error(`${this.name}: ${text}`);
            }

            if (typeof text == 'string' && JSON.parse(text)[1] === ref) {
                return seen;
            }

            seen.push(text);
        }
    }

    async close(code = 1000) {
        this.ws.close(code);
        return within(this.closed, `${this.name}: closed`);
    }
}


/* The payload of a subscribe push. */
export function subscription(table, field, value, more = {}) {
    return { topic: `${table}:${field}`, userid: 'u1', table_field: field,
             field_value: value, equality: 'eq',
             query: `select * from ${table}`, event: 'rows', pk: 'id',
             alias: null, ...more };
}
