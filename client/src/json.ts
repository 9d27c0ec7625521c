/*
 * JSON with integers that a number of JavaScript cannot hold.
 */

import type { BigintMode } from './types.js';


/* A string or a number.  Digits outside of strings are numbers in JSON. */
const TOKEN = /"(?:[^"\\]+|\\.)*"|-?\d[\d.eE+-]*/g;
const INTEGER = /^-?\d+$/;
const MARKED = /^\0-?\d+$/;

const TYPES = { string: String, number: Number, bigint: BigInt };


export function parse(text: string, mode: BigintMode): any {
    if (mode == 'number' || !/\d{16}/.test(text)) {
        return JSON.parse(text);
    }

    const exact = mode == 'bigint';
    const quote = exact ? '"\\u0000' : '"';

    return JSON.parse(text.replace(TOKEN, (token) => {
        return INTEGER.test(token) && !Number.isSafeInteger(+token)
               ? `${quote}${token}"` : token;
    }), exact ? revive : undefined);
}


function revive(_key: string, value: any): unknown {
    return MARKED.test(value) ? BigInt(value.slice(1)) : value;
}


/** The text of a value; BigInts are as strings of their digits. */
export function write(value: unknown): string {
    return JSON.stringify(value, (_key, v) => {
        return typeof v == 'bigint' ? `${v}` : v;
    });
}


/** The integer in the form that the mode names; other values unchanged. */
export function convert(value: any, mode: BigintMode): unknown {
    return INTEGER.test(value) ? TYPES[mode](value) : value;
}
