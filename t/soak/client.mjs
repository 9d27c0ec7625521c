/*
 * A client of our own that does what phoenix.js does, and can be told to do
 * it at any moment: it comes back when its connection is lost, joins its
 * topics again without a subscribe, and subscribes anew only when it is told.
 */

import WebSocket from 'ws';

import { LIMIT, until } from '../e2e/lib/await.mjs';
import { View } from './view.mjs';


const ANSWER = 6 * LIMIT;       /* a subscribe is answered within */
const JOIN = LIMIT;             /* phoenix.js leaves and joins again after */

let clients = 0;


export class SoakClient {
    constructor(base, specs, random) {
        this.base = base;
        this.random = random;
        this.name = `client ${++clients}`;
        this.own = `soak:${clients}`;
        this.views = specs.map((spec) => new View(spec));
        this.connection = null;
        this.waiting = new Set();
        this.lost = 0;
        this.refused = new Map();
        this.over = false;
        this.hung = [];

        this.all = [this.stay(), ...this.views.map((v) => this.drive(v))];
    }

    get told() {
        return this.views.reduce((n, view) => n + view.told, 0);
    }

    /* Ends it all; throws what should not have happened. */
    async stop() {
        this.over = true;
        this.connection?.ws.terminate();
        this.wake();
        await Promise.all(this.all);
    }

    /* Something that people do: a tunnel, a click, another page. */
    whim() {
        const c = this.connection;
        const view = this.random.of(this.views);

        switch (this.random.below(5)) {

        case 0:
            c?.ws.terminate();
            break;

        case 1:
            /* what was sent meanwhile is lost, and nobody is told */
            c?.ws.pause();
            setTimeout(() => c?.ws.terminate(), this.random.below(3000));
            break;

        case 2:
            c?.leave(view);
            break;

        case 3:
            if (c?.leave(view)) {
                view.note('is not needed any more');
                view.topic = null;
            }

            break;

        default:
            c?.leave(view);
            c?.ws.terminate();
        }
    }

    /* Does not read what comes; gives what ends that. */
    pause() {
        const ws = this.connection?.ws;

        ws?.pause();
        return () => ws?.resume();
    }

    /* All that was sent before has come. */
    heartbeat() {
        return this.connection?.call('phoenix', 'heartbeat', {}, LIMIT);
    }

    /* The connection: opened again whenever it is lost. */
    async stay() {
        while (!this.over) {
            const c = new Connection(this);

            if (await c.opened && !this.over
                && (await c.call(this.own, 'phx_join', {}, JOIN))?.status
                   == 'ok')
            {
                this.connection = c;
                this.wake();
                await c.closed;
                this.connection = null;
                this.lost++;
            }

            c.ws.terminate();

            for (const view of this.views) {
                view.note(`lost the connection (${c.code ?? 'no close'})`);
                view.joined = false;
            }

            await pause(20 + this.random.below(150));
        }
    }

    wake() {
        for (const resolve of this.waiting) {
            resolve();
        }

        this.waiting.clear();
    }

    async connected() {
        while (this.connection == null && !this.over) {
            await new Promise((resolve) => this.waiting.add(resolve));
        }

        return this.connection;
    }

    async drive(view) {
        await pause(this.random.below(1000));

        for (;;) {
            const c = await this.connected();

            if (this.over) {
                return;
            }

            if (view.topic == null) {
                await this.subscribe(c, view);

            } else {
                await this.join(c, view);
            }
        }
    }

    async subscribe(c, view) {
        const began = Date.now();
        const reply = await c.call(this.own, 'subscribe', view.spec.payload,
                                   ANSWER);

        if (reply == null && !this.over) {
            this.hung.push(`${this.name}: a subscribe was not answered within`
                           + ` ${Date.now() - began} ms`);
        }

        if (reply?.status == 'ok') {
            view.begin(reply.response);

            /* a page may be slow to join */
            await pause(this.random.once(3) ? this.random.below(1500) : 0);

        } else if (reply?.status == 'error') {
            this.refuse(reply.response.reason);
            view.note(`refused: ${reply.response.reason}`);
            await pause(50 + this.random.below(200));
        }
    }

    refuse(reason) {
        this.refused.set(reason, (this.refused.get(reason) ?? 0) + 1);
    }

    async join(c, view) {
        const reply = await c.join(view);

        if (reply == null) {
            view.note('the join was not answered');
            c.leave(view);
            await c.left(view);

        } else if (reply.status == 'error') {
            view.tell(reply.response.reason);

        } else if (reply.status == 'ok') {
            view.joined = true;
            view.note('joined');
            view.note(await c.left(view));
            view.joined = false;
        }
    }
}


class Connection {
    constructor(client) {
        this.client = client;
        this.refs = 0;
        this.calls = new Map();
        this.joins = new Map();       /* by topic: {ref, view, end} */

        this.ws = new WebSocket(`${client.base}/websocket?vsn=2.0.0`);
        this.ws.on('message', (data) => this.receive(data));
        this.ws.on('error', () => {});

        this.opened = new Promise((resolve) => {
            this.ws.on('open', () => resolve(true));
            this.ws.on('close', () => resolve(false));
        });

        this.closed = new Promise((resolve) => {
            this.ws.on('close', (code) => {
                this.code = code;

                for (const call of this.calls.values()) {
                    call({});
                }

                for (const join of this.joins.values()) {
                    join.end?.('its connection is gone');
                }

                this.joins.clear();
                resolve();
            });
        });
    }

    receive(data) {
        const [joinRef, ref, topic, event, payload] = JSON.parse(data);

        if (event == 'phx_reply') {
            this.calls.get(ref)?.(payload);
            return;
        }

        const join = this.joins.get(topic);

        if (join == null || (joinRef != null && joinRef != join.ref)) {
            return;
        }

        if (event == 'phx_error' || event == 'phx_close') {
            this.joins.delete(topic);
            join.end?.(`${event} ${payload.reason ?? ''}`);
            join.ended = event;

        } else if (event == join.view.spec.payload.event) {
            join.view.apply(payload);
        }
    }

    /* The reply; {} when the connection was lost, null when there is none. */
    async call(topic, event, payload, ms, ref = `${++this.refs}`) {
        if (this.ws.readyState != WebSocket.OPEN) {
            await this.closed;
            return {};
        }

        const joinRef = event == 'phx_join'
                        ? ref : this.joins.get(topic)?.ref ?? null;
        let timer;

        const reply = new Promise((resolve) => {
            timer = setTimeout(() => resolve(null), ms);
            this.calls.set(ref, resolve);
        });

        this.ws.send(JSON.stringify([joinRef, ref, topic, event, payload]));

        try {
            return await reply;

        } finally {
            this.calls.delete(ref);
            clearTimeout(timer);
        }
    }

    join(view) {
        const ref = `${++this.refs}`;

        this.joins.set(view.topic, { ref, view });
        return this.call(view.topic, 'phx_join', {}, JOIN, ref);
    }

    /* Waits until the channel ends: says why. */
    left(view) {
        const join = this.joins.get(view.topic);

        return join == null || join.ended || join.view != view
               ? Promise.resolve('its channel has ended')
               : new Promise((resolve) => { join.end = resolve; });
    }

    /*
     * Sends a leave; whether there is a channel.  What comes before the
     * answer is still applied.
     */
    leave(view) {
        const join = this.joins.get(view.topic);

        if (join?.view != view || join.leaving) {
            return false;
        }

        join.leaving = true;

        this.call(view.topic, 'phx_leave', {}, JOIN).then(() => {
            if (this.joins.get(view.topic) == join) {
                this.joins.delete(view.topic);
            }

            join.ended = 'left';
            join.end?.('left');

            /* who leaves before its join is answered gets no answer */
            this.calls.get(join.ref)?.({});
        });

        return true;
    }
}


/* how long people wait, not how long a test does */
function pause(ms) {
    return ms == 0 ? undefined
                   : new Promise((resolve) => setTimeout(resolve, ms));
}
