/*
 * The part of phoenix.js that this package uses: the package "phoenix" has
 * no declarations of its own.
 */

declare module 'phoenix' {
    type Callback = (message: any) => void;

    export interface Push {
        receive(status: 'ok' | 'error' | 'timeout', callback: Callback): Push;
    }

    export class Channel {
        topic: string;
        state: string;
        join(timeout?: number): Push;
        leave(timeout?: number): Push;
        push(event: string, payload: object, timeout?: number): Push;
        on(event: string, callback: Callback): number;
        off(event: string, ref?: number): void;
        onError(callback: Callback): number;
        onClose(callback: Callback): void;
    }

    export interface SocketOptions {
        transport?: unknown;
        timeout?: number;
        decode?: (raw: unknown, done: Callback) => void;
        reconnectAfterMs?: (tries: number) => number;
    }

    export class Socket {
        constructor(url: string, options?: SocketOptions);
        authToken: (() => string) | undefined;
        connect(): void;
        disconnect(callback?: () => void, code?: number,
                   reason?: string): void;
        isConnected(): boolean;
        channel(topic: string, params?: object): Channel;
        onOpen(callback: () => void): string;
        onClose(callback: Callback): string;
    }

    export const Serializer: {
        decode(raw: unknown, done: Callback): void;
    };
}
