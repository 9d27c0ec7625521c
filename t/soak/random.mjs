/*
 * Random numbers that the same seed gives again.
 */

export class Random {
    constructor(seed) {
        this.state = seed >>> 0;
    }

    /* 0 .. n - 1 */
    below(n) {
        let t;

        /* mulberry32 */
        this.state = (this.state + 0x6d2b79f5) >>> 0;
        t = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
        t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;

        return ((t ^ (t >>> 14)) >>> 0) % n;
    }

    /* one time in n */
    once(n) {
        return this.below(n) == 0;
    }

    of(list) {
        return list[this.below(list.length)];
    }

    /* n different ones */
    some(list, n) {
        const left = [...list];

        return Array.from({ length: Math.min(n, left.length) }, () => (
            left.splice(this.below(left.length), 1)[0]));
    }

    /* 1 .. max, small ones more often: as many below 10 as above 1000 */
    size(max) {
        return Math.max(1, Math.floor(max ** (this.below(1001) / 1000)));
    }

    fork() {
        return new Random(this.below(2 ** 31));
    }
}
