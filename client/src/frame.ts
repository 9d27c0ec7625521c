/*
 * Calls of the application's listeners.
 */

const HIDDEN_MS = 250;      /* a hidden page gets no animation frames */


/** Calls fn once: with the next animation frame; in node, with a timer. */
export function nextFrame(fn: (() => void) | undefined): void {
    const once = (): void => {
        fn?.();
        fn = undefined;
    };

    const animate = globalThis.requestAnimationFrame as
                    typeof requestAnimationFrame | undefined;

    animate?.(once);
    setTimeout(once, animate && HIDDEN_MS);
}


/** Calls fn, and throws its error in a timer: other listeners go on. */
export function call<A>(fn: (argument: A) => void, argument: A): void {
    try {
        fn(argument);

    } catch (err) {
        setTimeout(() => { throw err; });
    }
}
