/*
 * A worker's end of the feed, in the hands of a test: for more than clients
 * of nginx could ask for in the time of a test.  See feed-peer.mjs for the
 * other end, and for how fields are written.
 *
 *     const worker = await FeedWorker.connect(stack.socket);
 *     const { topic } = await worker.subscribe(1n, subscription(...));
 *     await worker.join(1n, topic);
 *     const event = await worker.frames.find((f) => f.type == 'EVENT');
 *     worker.send('GONE', { socket: 1n });
 *     worker.destroy();
 */

import { once } from 'node:events';
import { createConnection } from 'node:net';

import { Inbox, within } from './await.mjs';
import { decode, encode } from './feed-peer.mjs';


let instances = 0n;


export class FeedWorker {
    /* pid is whatever the replicator is to believe */
    static async connect(path, pid = 1) {
        const worker = new FeedWorker();

        worker.input = [];
        worker.length = 0;
        worker.reqs = 0n;
        worker.asked = new Map();
        worker.frames = new Inbox('the frames of the replicator');
        worker.socket = createConnection(path);

        worker.socket.on('data', (data) => worker.read(data));
        worker.socket.on('error', () => {});
        worker.socket.on('close', () => worker.closed());
        await within(once(worker.socket, 'connect'), 'the feed is connected');

        worker.send('HELLO', { version: 1, pid, workers: 1, zone: 'double',
                               instance: BigInt(process.pid) << 16n
                                         | ++instances });
        worker.send('READY');
        worker.welcome = await worker.frames.find((f) => f.type == 'WELCOME',
                                                  'WELCOME');
        return worker;
    }

    send(name, fields) {
        this.socket.write(encode(name, fields));
    }

    /* Asks, and gives the frame that answers: REPLY or JOINED. */
    ask(name, fields, ms) {
        const req = ++this.reqs;

        this.send(name, { req, ...fields });

        return within(new Promise((resolve) => {
            this.asked.set(req, resolve);
        }), `the answer to ${name}`, ms);
    }

    /* The response to a subscribe, with the route's topic. */
    async subscribe(socket, payload, ms) {
        const reply = await this.ask('SUBSCRIBE', {
            socket, spec: JSON.stringify(payload) }, ms);
        const response = JSON.parse(reply.payload);

        if (reply.status != 0) {
            throw new Error(response.reason);
        }

        return { ...response, topic: response.route_topics[0] };
    }

    async join(socket, topic, ms) {
        const reply = await this.ask('JOIN', { socket, client: socket,
                                               topic }, ms);

        if (reply.type != 'JOINED') {
            throw new Error(JSON.parse(reply.payload).reason);
        }
    }

    /* All that was sent before is handled when this returns. */
    async settle(ms) {
        await this.ask('JOIN', { socket: 0n, topic: 'rt:none' }, ms);
    }

    destroy() {
        this.socket.destroy();
    }

    read(data) {
        this.input.push(data);
        this.length += data.length;

        if (this.input[0].length < 4) {
            this.input = [Buffer.concat(this.input)];
        }

        while (this.length >= 4
               && this.length >= 4 + this.input[0].readUInt32BE(0))
        {
            const all = Buffer.concat(this.input);
            let i = 0;

            while (all.length - i >= 4
                   && all.length - i >= 4 + all.readUInt32BE(i))
            {
                const end = i + 4 + all.readUInt32BE(i);

                this.take(decode(all.subarray(i + 4, end)));
                i = end;
            }

            this.input = [all.subarray(i)];
            this.length = all.length - i;

            if (this.length < 4) {
                break;
            }
        }
    }

    take(frame) {
        const resolve = this.asked.get(frame.req);

        if (resolve) {
            this.asked.delete(frame.req);
            resolve(frame);

        } else if (this.onFrame) {
            this.onFrame(frame);

        } else {
            this.frames.put(frame);
        }
    }

    closed() {
        this.frames.put({ type: 'closed' });

        for (const resolve of this.asked.values()) {
            resolve({ type: 'REPLY', status: 1,
                      payload: '{"reason":"the feed is closed"}' });
        }

        this.asked.clear();
    }
}
