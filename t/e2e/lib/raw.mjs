/*
 * WebSocket by hand: a TCP socket, an upgrade request, and frames made and
 * read byte by byte, for what no well-behaved library would send.
 */

import { createHash, randomBytes } from 'node:crypto';
import { connect } from 'node:net';

import { Inbox, within } from './await.mjs';


const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export const TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10;


/*
 * A client's frame.  length: '7', '16' or '64' forces a length form; mask:
 * false leaves it out; rsv: bits to set.
 */
export function frame(opcode, payload, { fin = true, mask = true, rsv = 0,
                                         length } = {}) {
    const data = Buffer.from(payload);
    const n = data.length;
    const form = length ?? (n < 126 ? '7' : n < 65536 ? '16' : '64');
    const head = Buffer.alloc({ 7: 2, 16: 4, 64: 10 }[form]);

    head[0] = (fin ? 0x80 : 0) | rsv << 4 | opcode;

    if (form == '7') {
        head[1] = n;

    } else if (form == '16') {
        head[1] = 126;
        head.writeUInt16BE(n, 2);

    } else {
        head[1] = 127;
        head.writeBigUInt64BE(BigInt(n), 2);
    }

    if (!mask) {
        return Buffer.concat([head, data]);
    }

    const key = randomBytes(4);

    head[1] |= 0x80;

    for (let i = 0; i < n; i++) {
        data[i] ^= key[i & 3];
    }

    return Buffer.concat([head, key, data]);
}


export function closeFrame(code, reason = '') {
    const payload = Buffer.alloc(2 + Buffer.byteLength(reason));

    payload.writeUInt16BE(code);
    payload.write(reason, 2);
    return frame(CLOSE, payload);
}


export class Raw {
    /*
     * Sends the upgrade request, behind which `then` may follow in the same
     * segment.  headers replace or (undefined) remove the usual ones.
     */
    static async open(port, { path = '/realtime/websocket?vsn=2.0.0',
                              method = 'GET', headers = {}, then } = {}) {
        const raw = new Raw();
        const key = randomBytes(16).toString('base64');

        const all = { Host: `127.0.0.1:${port}`, Upgrade: 'websocket',
                      Connection: 'Upgrade', 'Sec-WebSocket-Version': '13',
                      'Sec-WebSocket-Key': key, ...headers };

        const lines = Object.entries(all).filter(([, v]) => v !== undefined)
                      .map(([k, v]) => `${k}: ${v}\r\n`).join('');

        raw.accept = createHash('sha1').update(key + GUID).digest('base64');
        raw.frames = new Inbox('a raw client');
        raw.buffer = Buffer.alloc(0);
        raw.tcp = connect(port, '127.0.0.1');
        raw.tcp.setNoDelay(true);
        raw.tcp.on('error', () => {});

        raw.ended = new Promise((resolve) => raw.tcp.on('close', resolve));
        raw.response = new Promise((resolve) => { raw.answered = resolve; });

        raw.tcp.on('data', (data) => raw.read(data));
        raw.tcp.on('close', () => raw.frames.put({ end: true }));

        raw.tcp.write(Buffer.concat([
            Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines}\r\n`),
            then ?? Buffer.alloc(0)]));

        raw.head = await within(raw.response, 'the answer to an upgrade');
        return raw;
    }

    send(...frames) {
        this.tcp.write(Buffer.concat(frames));
    }

    /* The next frame: {fin, rsv, opcode, payload}, or {end: true}. */
    next(what) {
        return this.frames.take(what);
    }

    async nextText(what) {
        const f = await this.next(what);

        return f.opcode == TEXT ? f.payload.toString() : f;
    }

    /* The close code that the server sends next; undefined: none. */
    async closeCode() {
        const f = await this.frames.find((x) => x.end || x.opcode == CLOSE,
                                         'a close frame');

        return f.end || f.payload.length < 2 ? undefined
                                             : f.payload.readUInt16BE();
    }

    destroy() {
        this.tcp.destroy();
    }

    read(data) {
        this.buffer = Buffer.concat([this.buffer, data]);

        if (this.answered) {
            const end = this.buffer.indexOf('\r\n\r\n');

            if (end < 0) {
                return;
            }

            this.answered(parseHead(this.buffer.subarray(0, end).toString()));
            this.answered = null;
            this.buffer = this.buffer.subarray(end + 4);
        }

        this.readFrames();
    }

    readFrames() {
        for (;;) {
            const b = this.buffer;

            if (b.length < 2) {
                return;
            }

            let n = b[1] & 0x7f, at = 2;

            if (n == 126) {
                if (b.length < 4) {
                    return;
                }

                n = b.readUInt16BE(2);
                at = 4;

            } else if (n == 127) {
                if (b.length < 10) {
                    return;
                }

                n = Number(b.readBigUInt64BE(2));
                at = 10;
            }

            if (b.length < at + n) {
                return;
            }

            this.frames.put({ fin: b[0] >> 7, rsv: b[0] >> 4 & 7,
                              opcode: b[0] & 15, masked: b[1] >> 7,
                              payload: b.subarray(at, at + n) });
            this.buffer = b.subarray(at + n);
        }
    }
}


function parseHead(text) {
    const [first, ...lines] = text.split('\r\n');
    const headers = {};

    for (const line of lines) {
        const colon = line.indexOf(':');

        headers[line.slice(0, colon).toLowerCase()]
            = line.slice(colon + 1).trim();
    }

    return { status: Number(first.split(' ')[1]), headers };
}
