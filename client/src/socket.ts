/*
 * A socket of phoenix.js that asks for a token before it connects, each time.
 */

import { Serializer, Socket } from 'phoenix';

import { parse } from './json.js';
import type { KairosOptions, Token } from './types.js';


export type { Socket };

/* the options of Kairos after the defaults were filled in */
export type Settings = KairosOptions
                       & Required<Pick<KairosOptions, 'bigint' | 'timeout'>>;


/**
 * @param onToken called with the token when a connection begins
 * @param onFailure called when token() has failed; the socket tries again
 */
export function socketTo(url: string, { WebSocket, bigint, timeout, token }:
                         Settings, onToken: (token: Token) => void,
                         onFailure: (error: unknown) => void): Socket {
    const socket = new Socket(url.replace(/^http/, 'ws'), {
        transport: WebSocket,
        timeout,
        reconnectAfterMs: (tries) => wait(100, tries),
        decode: (raw, done) => {
            if (typeof raw != 'string') {
                return Serializer.decode(raw, done);
            }

            const [join_ref, ref, topic, event, payload] = parse(raw, bigint);

            done({ join_ref, ref, topic, event, payload });
        },
    });

    const { connect, disconnect } = socket;

    /* the number of the last connect(); tokens of earlier ones are dropped */
    let turn = 0;
    let failures = 0;
    let timer: ReturnType<typeof setTimeout>;

    function halt(): number {
        clearTimeout(timer);
        return ++turn;
    }

    /* phoenix.js calls this method, too, when it connects again */
    socket.connect = async () => {
        const mine = halt();

        /* calls a token() that never answers again */
        timer = setTimeout(socket.connect, timeout);

        try {
            const text = await token?.();

            if (mine == turn) {
                halt();
                failures = 0;
                socket.authToken = text ? () => text : undefined;
                onToken(text);
                connect.call(socket);
            }

        } catch (err) {
            if (mine == turn) {
                halt();
                timer = setTimeout(socket.connect, wait(500, ++failures));
                onFailure(err);
            }
        }
    };

    socket.disconnect = () => {
        halt();
        disconnect.call(socket);
    };

    return socket;
}


/**
 * Milliseconds to wait before a try: the wait doubles with each try, up to 50
 * times the first, less a random part of up to half of it.
 */
export function wait(firstMs: number, tries: number): number {
    return firstMs * Math.min(2 ** (tries - 1), 50) * (1 + Math.random()) / 2;
}
