/*
 * A private PostgreSQL with logical decoding, one for each test file; each
 * stack gets a database of its own in it.
 */

import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import pg from 'pg';

import { Inbox, LIMIT } from './await.mjs';
import { freePort, start } from './processes.mjs';


const TOOL = join(dirname(fileURLToPath(import.meta.url)),
                  '../../../tools/postgres');

/* what pg_ctl's modes send */
const SIGNALS = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' };


/* numbers of any size as PostgreSQL prints them */
const types = {
    getTypeParser(oid) {
        return [16, 23].includes(oid)
               ? pg.types.getTypeParser(oid, 'text') : (value) => value;
    },
};


export class Postgres {
    static async create() {
        const cluster = new Postgres();

        cluster.dir = mkdtempSync(join(tmpdir(), 'kairos-pg-'));
        cluster.port = await freePort();
        cluster.databases = 0;
        chmodSync(cluster.dir, 0o755);

        await cluster.start();
        return cluster;
    }

    async start() {
        const lines = new Inbox('PostgreSQL');
        const started = start(TOOL, ['run', this.dir, `${this.port}`], {
            ends: 'INT', env: { KAIROS_TEST: '1', LC_ALL: 'C.UTF-8' },
            onLine: (line) => lines.put(line) });

        this.process = started;
        started.exit.then(() => lines.put(`ended: ${started.output}`));

        const line = await lines.find(
            (l) => /ready to accept connections|^ended: /.test(l),
            'its readiness', 3 * LIMIT);

        if (line.startsWith('ended: ')) {
            throw new Error(`PostgreSQL did not start: ${line}`);
        }
    }

    /* mode: smart, fast or immediate, as pg_ctl names them */
    async stop(mode = 'fast') {
        await this.process.kill(SIGNALS[mode], 'PostgreSQL', 3 * LIMIT);
    }

    async restart(mode = 'fast') {
        await this.stop(mode);
        await this.start();
    }

    url(database) {
        return `postgresql://postgres@127.0.0.1:${this.port}/${database}`;
    }

    client(database) {
        return new pg.Client(this.options(database));
    }

    pool(database) {
        const pool = new pg.Pool({ ...this.options(database), max: 8 });

        /* an idle connection is lost with each restart */
        pool.on('error', () => {});
        return pool;
    }

    options(database) {
        return { host: '127.0.0.1', port: this.port, user: 'postgres',
                 database, types };
    }

    async createDatabase() {
        const name = `kairos_${++this.databases}`;
        const client = this.client('postgres');

        await client.connect();

        try {
            await client.query(`create database ${name}`);

        } finally {
            await client.end();
        }

        return name;
    }

    async remove() {
        if (!this.process.exited) {
            await this.stop('immediate');
        }

        execFileSync(TOOL, ['remove', this.dir]);
        rmSync(this.dir, { recursive: true, force: true });
    }
}


/*
 * The file's cluster: made at the first call, removed by removeCluster(),
 * which stack.mjs calls after the file's last test.
 */
let shared;

export function sharedCluster() {
    shared ??= Postgres.create();
    return shared;
}

export async function removeCluster() {
    const cluster = await shared?.catch(() => undefined);

    shared = undefined;
    await cluster?.remove();
}
