/*
 * All that is known of a divergence: what the client has, what the query
 * returns, what came to the client, and what was written, in commit order.
 */

const VIEWS = 5;                /* of each run, and so on */
const KEYS = 2;
const CHANGES = 30;


export async function describe(run, diverged, hung) {
    const text = [...hung];

    for (const view of diverged.slice(0, VIEWS)) {
        text.push(await describeView(run, view, run.truths.get(view)));
    }

    if (diverged.length > VIEWS) {
        text.push(`and ${diverged.length - VIEWS} more`);
    }

    if (text.length) {
        text.unshift(`seed ${run.options.seed}, ${run.options.fault},`
                     + ` stage "${run.stage}"`);
        text.push('the replicator said:',
                  run.stack.replicator.output().slice(-4000));
    }

    return text.join('\n');
}


async function describeView(run, view, truth) {
    const { spec } = view;
    const client = run.clients.find((c) => c.views.includes(view));
    const { lacks, more, differs } = view.compare(truth);
    const text = [
        `${client.name} diverged: ${spec.what}`,
        `  subscribed ${JSON.stringify(spec.payload)}`,
        `  on ${view.topic}, ${view.joined ? 'joined' : 'NOT JOINED'}`,
        `  lacks ${lacks.length} rows, has ${more.length} too many,`
        + ` ${differs.length} are others, of ${truth.size};`
        + ` heard ${view.heard} times in the last stage`,
        ...view.strays.slice(0, KEYS).map((row) => `  got a stray: ${row}`),
        ...view.life.slice(-25).map((line) => `    ${line}`),
    ];

    for (const key of [...lacks, ...more, ...differs].slice(0, KEYS)) {
        text.push(`  the row ${key}`,
                  `    the query returns ${truth.get(key) ?? 'nothing'}`,
                  `    the client has ${view.rows.get(key) ?? 'nothing'}`,
                  ...(view.trail.get(key) ?? ['nothing'])
                      .map((line) => `    it got ${line}`),
                  ...await history(run, spec, key));
    }

    return text.join('\n');
}


/* What the WAL has of a row, with the statements of its transactions. */
async function history(run, { table, key }, value) {
    if (!['id', 'code', 'region,id'].includes(`${key}`)) {
        return [];
    }

    const last = value.split(',').at(-1);
    const rows = await run.stack.sql(
        'select xid, lsn, data from pg_logical_slot_peek_changes($1, null,'
        + " null, 'format-version', '2', 'include-xids', '1',"
        + " 'include-lsn', '1', 'include-types', '0')"
        + " where data like $2 or data like '%\"action\":\"T\"%'",
        [run.history, `%"name":"${key.at(-1)}","value":`
                      + `${key == 'code' ? `"${last}"` : last}}%`]);

    const own = rows.filter(({ data }) => (
        JSON.parse(data).table.startsWith(table)));

    return own.slice(-CHANGES).flatMap(({ xid, lsn, data }) => {
        const entry = run.writers.log.get(`${xid}`);

        return [`    ${lsn} of ${xid}: ${changes(JSON.parse(data))}`,
                ...entry ? [`      ${new Date(entry.at).toISOString()
                                     .slice(11, 23)}, ${entry.end}: `
                            + entry.statements.join('; ').slice(0, 200)]
                         : []];
    });
}


/* A change in short: the row that came, or went, or what became others. */
function changes({ action, columns, identity }) {
    const before = new Map((identity ?? []).map((c) => [c.name, c.value]));
    const shown = (columns ?? identity ?? []).filter(
        (c) => action != 'U' || c.value != before.get(c.name));

    return `${action} ${shown.map((c) => `${c.name} ${c.value}`).join(', ')
                             .slice(0, 200)}`;
}
