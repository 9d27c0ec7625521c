/*
 * The replicator's end of the feed, in the hands of a test: for the faults
 * that the real one is not to have.  docs/protocol.md describes the frames.
 *
 *     const peer = await FeedPeer.listen(path);
 *     const feed = await peer.next();        a worker's connection: it sent
 *                                            HELLO, got WELCOME, sent READY
 *     const ask = await feed.frame('SUBSCRIBE');
 *     feed.send('REPLY', { req: ask.req, status: 0, payload: '{}' });
 *     feed.raw(Buffer.from('nonsense'));
 *     feed.destroy();
 *     await peer.close();
 *
 * 64-bit fields are BigInts, strings are strings, a position is
 * {epoch, lsn, n}.  A field that is left out is 0 or empty.
 */

import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import { createServer } from 'node:net';

import { Inbox } from './await.mjs';


const FRAMES = {
    HELLO: [1, 'version:u32', 'pid:u32', 'workers:u32', 'instance:u64',
            'zone:string'],
    SUBSCRIBE: [2, 'req:u64', 'socket:u64', 'spec:string', 'claims:string'],
    JOIN: [3, 'req:u64', 'socket:u64', 'client:u64', 'topic:string'],
    LEAVE: [4, 'socket:u64', 'client:u64', 'lost:u8', 'topic:string'],
    GONE: [5, 'socket:u64'],
    RESUME: [6, 'members:u32', 'topic:string', 'spec:string',
             'position:position'],
    READY: [7],
    WELCOME: [64, 'version:u32', 'epoch:u64'],
    REPLY: [65, 'req:u64', 'status:u8', 'payload:string'],
    JOINED: [66, 'req:u64', 'topic:string', 'spec:string',
             'position:position'],
    EVENT: [67, 'topic:string', 'event:string', 'payload:string',
            'position:position'],
    EVENT_TO: [68, 'socket:u64', 'topic:string', 'event:string',
               'payload:string', 'position:position'],
    RESET: [69, 'topic:string', 'reason:string'],
};


/* The bytes of a frame. */
export function encode(name, fields = {}) {
    const [type, ...layout] = FRAMES[name];
    const parts = layout.map((item) => {
        const [field, kind] = item.split(':');

        return KINDS[kind].encode(fields[field]);
    });
    const body = Buffer.concat([Buffer.from([type]), ...parts]);

    return Buffer.concat([u32(body.length), body]);
}


export class FeedPeer {
    /*
     * welcome: the fields of the WELCOME that answers each HELLO, or null
     * for none; it may be changed at any time.
     */
    static async listen(path, welcome = { version: 1, epoch: 1n }) {
        const peer = new FeedPeer();

        peer.path = path;
        peer.welcome = welcome;
        peer.feeds = new Set();
        peer.accepted = new Inbox('the connections of workers');
        peer.server = createServer((socket) => {
            peer.accepted.put(new Feed(peer, socket));
        });

        peer.server.listen(path);
        await once(peer.server, 'listening');

        /* workers run as somebody else */
        chmodSync(path, 0o777);

        return peer;
    }

    /* The next connection, its frames unread. */
    accept(what = 'a connection', ms) {
        return this.accepted.take(what, ms);
    }

    /* The next connection, when it is READY; its RESUMEs are in .resumed. */
    async next(what, ms) {
        const feed = await this.accept(what, ms);

        feed.hello = await feed.frame('HELLO');
        feed.resumed = [];

        for (;;) {
            const frame = await feed.any();

            if (frame.type == 'READY') {
                return feed;
            }

            feed.resumed.push(frame);
        }
    }

    /* Closes all connections and removes the socket. */
    async close() {
        const closed = once(this.server, 'close');

        this.server.close();

        for (const feed of this.feeds) {
            feed.destroy();
        }

        await closed;
    }
}


class Feed {
    constructor(peer, socket) {
        this.peer = peer;
        this.socket = socket;
        this.at = performance.now();
        this.input = Buffer.alloc(0);
        this.frames = new Inbox('the frames of a worker');
        this.closed = new Promise((resolve) => socket.on('close', resolve));

        peer.feeds.add(this);
        socket.on('close', () => {
            peer.feeds.delete(this);
            this.frames.put({ type: 'closed' });
        });
        socket.on('error', () => {});
        socket.on('data', (data) => this.read(data));
    }

    read(data) {
        this.input = Buffer.concat([this.input, data]);

        while (this.input.length >= 4) {
            const end = 4 + this.input.readUInt32BE(0);

            if (this.input.length < end) {
                return;
            }

            const frame = decode(this.input.subarray(4, end));

            this.input = this.input.subarray(end);

            if (frame.type == 'HELLO' && this.peer.welcome) {
                this.send('WELCOME', this.peer.welcome);
            }

            this.frames.put(frame);
        }
    }

    /* The next frame, whatever it is; {type: 'closed'} at the end. */
    any(what = 'a frame', ms) {
        return this.frames.take(what, ms);
    }

    /* The next frame of this type. */
    frame(type, ms) {
        return this.frames.find((f) => f.type == type, `a frame ${type}`, ms);
    }

    send(name, fields) {
        this.raw(encode(name, fields));
    }

    raw(bytes) {
        this.socket.write(bytes);
    }

    destroy() {
        this.socket.destroy();
    }
}


const KINDS = {
    u8: { encode: (v = 0) => Buffer.from([v]),
          decode: (b, i) => [b.readUInt8(i), i + 1] },
    u32: { encode: (v = 0) => u32(v),
           decode: (b, i) => [b.readUInt32BE(i), i + 4] },
    u64: { encode: (v = 0n) => u64(v),
           decode: (b, i) => [b.readBigUInt64BE(i), i + 8] },
    string: { encode: string, decode: readString },
    position: {
        encode: ({ epoch = 0n, lsn = 0n, n = 0 } = {}) => {
            return Buffer.concat([u64(epoch), u64(lsn), u32(n)]);
        },
        decode: (b, i) => [{ epoch: b.readBigUInt64BE(i),
                             lsn: b.readBigUInt64BE(i + 8),
                             n: b.readUInt32BE(i + 16) }, i + 20],
    },
};


/* A frame of the bytes after its length. */
export function decode(body) {
    const found = Object.entries(FRAMES).find(([, f]) => f[0] == body[0]);

    if (found == null) {
        throw new Error(`a frame of the unknown type ${body[0]}`);
    }

    const [type, [, ...layout]] = found;
    const frame = { type };
    let at = 1;

    for (const item of layout) {
        const [field, kind] = item.split(':');

        [frame[field], at] = KINDS[kind].decode(body, at);
    }

    if (at != body.length) {
        throw new Error(`a frame ${type} of ${body.length} bytes, not ${at}`);
    }

    return frame;
}


function u32(value) {
    const b = Buffer.alloc(4);

    b.writeUInt32BE(value);
    return b;
}


function u64(value) {
    const b = Buffer.alloc(8);

    b.writeBigUInt64BE(BigInt(value));
    return b;
}


function string(value = '') {
    const bytes = Buffer.from(value);

    return Buffer.concat([u32(bytes.length), bytes]);
}


function readString(b, i) {
    const end = i + 4 + b.readUInt32BE(i);

    if (end > b.length) {
        throw new Error(`a string of ${end - i - 4} bytes ends at ${end}, `
                        + `beyond the frame's ${b.length}`);
    }

    return [b.toString('utf8', i + 4, end), end];
}
