/*
 * Waiting for things that happen, with a limit that says what was awaited.
 */

import { setTimeout as delay } from 'node:timers/promises';


/* a sanitized build and a busy machine are slow, not wrong */
const SLOW = Number(process.env.KAIROS_SLOW)
             || (process.env.KAIROS_SANITIZE ? 4 : 1);

export const LIMIT = 10000 * SLOW;


/* The promise's result; rejects, naming `what`, when it takes too long. */
export async function within(promise, what, ms = LIMIT) {
    let timer;

    const late = new Promise((resolve, reject) => {
        timer = setTimeout(() => {
            reject(new Error(`waited ${ms} ms in vain for ${named(what)}`));
        }, ms);
    });

    try {
        return await Promise.race([promise, late]);

    } finally {
        clearTimeout(timer);
    }
}


/*
 * The first truthy result of fn, asked again and again: for what no event
 * tells, as the state of /proc or of a catalog.
 */
export async function until(fn, what, ms = LIMIT, every = 20) {
    const end = Date.now() + ms;

    for (;;) {
        const result = await fn();

        if (result) {
            return result;
        }

        if (Date.now() >= end) {
            throw new Error(`waited ${ms} ms in vain until ${named(what)}`);
        }

        await delay(every);
    }
}


/* The arguments of an emitter's next event. */
export function once(emitter, event, what = `the event "${event}"`, ms) {
    return within(new Promise((resolve) => {
        emitter.once(event, (...args) => resolve(args));
    }), what, ms);
}


/*
 * What arrives is put in; take() waits for the next item, find() for the
 * first that a test accepts.  Both remove what they give.
 */
export class Inbox {
    constructor(name) {
        this.name = name;
        this.items = [];
        this.waiting = [];
    }

    put(item) {
        this.items.push(item);

        for (const check of [...this.waiting]) {
            check();
        }
    }

    take(what = 'a message', ms) {
        return this.find(() => true, what, ms);
    }

    async find(accepts, what = 'a certain message', ms) {
        let check;

        const found = new Promise((resolve) => {
            check = () => {
                const i = this.items.findIndex(accepts);

                if (i >= 0) {
                    const at = this.waiting.indexOf(check);

                    if (at >= 0) {
                        this.waiting.splice(at, 1);
                    }

                    resolve(this.items.splice(i, 1)[0]);
                    return true;
                }

                return false;
            };

            if (!check()) {
                this.waiting.push(check);
            }
        });

        try {
            return await within(found, () => `${this.name}: ${named(what)}; `
                                + `there is ${shown(this.items)}`, ms);

        } finally {
            const at = this.waiting.indexOf(check);

            if (at >= 0) {
                this.waiting.splice(at, 1);
            }
        }
    }
}


function named(what) {
    return typeof what == 'function' ? what() : what;
}


function shown(items) {
    const text = JSON.stringify(items.slice(-20));

    return items.length ? text.slice(0, 2000) : 'nothing';
}
