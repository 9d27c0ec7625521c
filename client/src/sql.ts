/*
 * Queries as text: sql`select … where id = ${id}`, with every value as a
 * literal of PostgreSQL.
 */

/** A value between ${ and } of sql`…`. */
export type SqlValue = string | number | bigint | boolean | Date | null | Sql
                       | readonly SqlValue[];


/**
 * The text of a query, or of a part of one.  A text for new Sql() must not
 * contain input of a user.
 */
export class Sql {
    readonly text: string;

    constructor(text: string) {
        this.text = text;
    }
}


/**
 * A query, or a part of one, with its values as literals.
 *
 * Throws a TypeError for a value that has no literal (undefined, an object,
 * a string with a zero byte, an empty list), and for one between quotes.
 */
export function sql(strings: TemplateStringsArray,
                    ...values: SqlValue[]): Sql {
    let text = '', quotes = 0;

    strings.forEach((part, i) => {
        text += part;
        quotes += part.split("'").length - 1;

        if (i < values.length) {
            if (quotes % 2) {
                refuse('a value between quotes');
            }

            text += literal(values[i]!);
        }
    });

    return new Sql(text);
}


/** Names as identifiers: sql.id('Posts'), sql.id('app', 'Posts'). */
sql.id = (...names: [string, ...string[]]): Sql => {
    return new Sql(names.map((name) => {
        return `"${textOf(name || refuse('an empty name'))
                   .replace(/"/g, '""')}"`;
    }).join('.'));
};


function refuse(what: string): never {
    throw new TypeError(`sql cannot quote ${what}`);
}


function literal(value: SqlValue, inList = false): string {
    switch (typeof value) {
    case 'string':
        return quoted(value);

    case 'number':
    case 'bigint':
        /* a minus behind a minus would begin a comment */
        return typeof value == 'number' && !isFinite(value)
               ? `'${value}'::float8` : value < 0 ? `(${value})` : `${value}`;
    }

    if (value instanceof Sql) {
        return value.text;
    }

    if (value instanceof Date) {
        return `'${value.toISOString()}'::timestamptz`;
    }

    if (Array.isArray(value) && !inList) {
        return value.length ? `(${value.map((v) => literal(v, true))
                                       .join(', ')})`
                            : refuse('an empty list');
    }

    return value === null || typeof value == 'boolean'
           ? `${value}` : refuse(`this ${typeof value}`);
}


/*
 * A text with backslashes becomes an E'…' string, which has the same meaning
 * with each value of standard_conforming_strings.  The blank separates the E
 * from a word before it.
 */
function quoted(value: string): string {
    const text = textOf(value).replace(/'/g, "''");

    return text.includes('\\') ? ` E'${text.replace(/\\/g, '\\\\')}'`
                               : `'${text}'`;
}


/* PostgreSQL has neither zero bytes nor halves of surrogate pairs. */
function textOf(value: string): string {
    return /\0|\p{Surrogate}/u.test(value)
           ? refuse('this string') : value;
}
