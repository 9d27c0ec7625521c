/*
 * Errors, as the application gets them.
 */

/**
 * An error of the server or of the client.  The message is a sentence.  The
 * code is the server's, undefined if the server sends none, or one of the
 * client's own: "timeout", "closed".
 */
export class KairosError extends Error {
    readonly code: string | undefined;

    constructor(message: string, code?: string) {
        super(message);
        this.name = 'KairosError';
        this.code = code;
    }
}


/**
 * Whether the server may serve the same request in a moment.  The sentences
 * of such errors end with "try again" or "subscribe again".
 */
export function isPassing({ message }: KairosError): boolean {
    return /\bagain\b/.test(message);
}
