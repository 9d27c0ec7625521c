/*
 * The clients that people use: phoenix.js, and the SDK on top of it.
 */

import '../e2e/lib/browser.mjs';
import { NexusRT } from '@nexusrt/kairos';
import { Socket } from 'phoenix';
import WebSocket from 'ws';

import { LIMIT, within } from '../e2e/lib/await.mjs';
import { View } from './view.mjs';


/* as in a browser, where each message is an event of its own */
class BrowserSocket extends WebSocket {
    constructor(url, protocols) {
        super(url, protocols, { allowSynchronousEvents: false });
    }
}

let pages = 0;


/* What the two have in common with SoakClient. */
class Page {
    constructor(views) {
        this.name = `page ${++pages}`;
        this.views = views;
        this.lost = 0;
        this.refused = new Map();
        this.hung = [];
        this.over = false;
    }

    get told() {
        return this.views.reduce((n, view) => n + view.told, 0);
    }

    refuse(reason = 'no reason') {
        this.refused.set(reason, (this.refused.get(reason) ?? 0) + 1);
    }

    whim() {
        this.socket?.conn?.terminate?.();
    }

    pause() {
        return () => {};
    }
}


export class PhoenixClient extends Page {
    constructor(base, specs) {
        super(specs.map((spec) => new View(spec)));

        this.asked = new Map();     /* the push of each view's subscribe */
        this.socket = new Socket(base, {
            transport: BrowserSocket, reconnectAfterMs: () => 50,
            rejoinAfterMs: () => 100 });
        this.socket.connect();
        this.own = this.socket.channel(`page:${this.name}`, {});
        this.own.join();

        this.socket.onClose(() => {
            this.lost++;

            for (const view of this.views) {
                view.note('lost the connection');
                view.joined = false;

                if (view.topic == null && !this.over) {
                    this.subscribe(view);
                }
            }
        });

        for (const view of this.views) {
            this.subscribe(view);
        }
    }

    subscribe(view) {
        const push = this.own.push('subscribe', view.spec.payload, 6 * LIMIT);
        const current = () => this.asked.get(view) == push && !this.over;

        this.asked.get(view)?.cancelTimeout();
        this.asked.set(view, push);

        push.receive('ok', (response) => {
            if (current()) {
                this.asked.delete(view);
                view.begin(response);
                this.join(view);
            }

        }).receive('error', ({ reason }) => {
            if (current()) {
                this.refuse(reason);
                view.note(`refused: ${reason}`);
                setTimeout(() => current() && this.subscribe(view), 100);
            }

        }).receive('timeout', () => {
            if (current()) {
                this.hung.push(`${this.name}: a subscribe was not answered`);
                this.subscribe(view);
            }
        });
    }

    join(view) {
        const channel = this.socket.channel(view.topic, {});
        const current = () => view.channel == channel;

        view.channel = channel;
        channel.on(view.spec.payload.event,
                   (payload) => current() && view.apply(payload));
        channel.onError((reason) => {
            if (current()) {
                view.note(`phx_error ${reason?.reason ?? ''}`);
                view.joined = false;
            }
        });

        channel.join().receive('ok', () => {
            view.joined = true;
            view.note('joined');

        }).receive('error', ({ reason }) => {
            if (current()) {
                view.channel = null;
                view.tell(reason);
                channel.leave();
                this.subscribe(view);
            }
        });
    }

    async stop() {
        this.over = true;

        for (const push of this.asked.values()) {
            push.cancelTimeout();
        }

        await new Promise((resolve) => this.socket.disconnect(resolve));
    }

    heartbeat() {
        return Promise.resolve({ status: 'ok' });
    }
}


/* The SDK subscribes anew by being made anew. */
export class SdkClient extends Page {
    constructor(base, owner) {
        const query = 'select id, owner, n from items';

        super([new View({
            what: 'of the SDK', table: 'items', key: ['id'],
            truth: `${query} where owner = ${owner}`,
            payload: { event: 'rows', field_value: `${owner}`, query } })]);

        this.base = base;
        this.owner = `${owner}`;
        this.opening = this.open();
    }

    get socket() {
        return this.nexus?.socket;
    }

    async open() {
        const [view] = this.views;

        while (!this.over) {
            globalThis.WebSocket = BrowserSocket;
            this.nexus?.disconnect();

            try {
                await within(this.subscribe(view), 'the SDK', LIMIT);
                return;

            } catch (err) {
                this.refuse(err.reason ?? err.message);
                await new Promise((resolve) => setTimeout(resolve, 100));
            }
        }
    }

    async subscribe(view) {
        const nexus = await NexusRT.create(this.base, undefined,
                                           { userid: this.name });
        const current = () => this.nexus == nexus && !this.over;

        if (this.over) {
            return;
        }

        this.nexus = nexus;
        nexus.on('rows', (payload) => current() && view.apply(payload));

        /* the SDK does not ask again: that would be its time-out */
        const closed = new Promise((resolve, reject) => {
            nexus.socket.onClose(() => {
                this.lost++;
                view.joined = false;
                reject(new Error('the connection was lost'));
            });
        });

        nexus.connect();

        const { result, channels: [route] } = await Promise.race([
            closed, this.ask(nexus)]);

        if (!current()) {
            return;
        }

        view.begin(result);
        view.joined = true;

        route.joinPush.receive('ok', () => {
            if (current()) {
                view.note('joined');
                view.joined = true;
            }

        }).receive('error', ({ reason }) => {
            if (current()) {
                view.tell(reason);
                this.opening = this.open();
            }
        });
    }

    async ask(nexus) {
        await nexus.useUserChannel(this.name, {});

        return nexus.select('id, owner, n').from('items')
            .subscribeAndJoinRoutes({
                table: 'items', tableField: 'owner', equality: 'eq',
                fieldValue: this.owner, event: 'rows', pk: 'id' });
    }

    async stop() {
        this.over = true;
        await this.opening;
        this.nexus?.disconnect();
    }

    heartbeat() {
        return Promise.resolve({ status: 'ok' });
    }
}
