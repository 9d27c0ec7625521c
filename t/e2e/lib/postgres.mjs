/*
 * A private PostgreSQL with logical decoding, one for each test file; each
 * stack gets a database of its own in it.
 */

import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync,
         readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import pg from 'pg';

import { Inbox, LIMIT } from './await.mjs';
import { IS_ROOT, start, uidOf } from './processes.mjs';


const USER = 'postgres';

/* what pg_ctl's modes send */
const SIGNALS = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' };


/* numbers of any size as PostgreSQL prints them */
const types = {
    getTypeParser(oid) {
        return [16, 23].includes(oid) ? pg.types.getTypeParser(oid, 'text')
                                      : (value) => value;
    },
};


export function programs() {
    const root = '/usr/lib/postgresql';
    const found = process.env.PG_BIN ?? (existsSync(root)
        ? readdirSync(root).sort((a, b) => b - a)
              .map((v) => join(root, v, 'bin'))
              .find((dir) => existsSync(join(dir, 'postgres'))) : undefined);

    if (found == null) {
        throw new Error('there is no PostgreSQL server; PG_BIN names where');
    }

    return found;
}


export class Postgres {
    static async create() {
        const cluster = new Postgres();

        cluster.dir = mkdtempSync(join(tmpdir(), 'kairos-pg-'));
        cluster.data = join(cluster.dir, 'data');
        cluster.databases = 0;

        mkdirSync(cluster.data, { mode: 0o700 });
        chmodSync(cluster.dir, 0o755);

        const as = {};

        if (IS_ROOT) {
            const uid = uidOf(USER);

            chownSync(cluster.dir, uid, -1);
            chownSync(cluster.data, uid, -1);
            as.uid = uid;
        }

        execFileSync(join(programs(), 'initdb'),
                     ['-D', cluster.data, '-U', USER, '-A', 'trust',
                      '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync',
                      '--no-instructions'],
                     { ...as, stdio: ['ignore', 'ignore', 'inherit'],
                       cwd: cluster.dir });

        /* newer servers load the output plugins that this names, no others */
        const settings = execFileSync(join(programs(), 'postgres'),
                                      ['--describe-config'],
                                      { ...as, cwd: cluster.dir });

        cluster.plugins = settings.includes('output_plugin_libraries')
                          ? ['-c', 'output_plugin_libraries=wal2json'] : [];

        await cluster.start();
        return cluster;
    }

    async start() {
        const lines = new Inbox('PostgreSQL');

        this.process = start(join(programs(), 'postgres'), [
            '-D', this.data, '-k', this.dir, '-h', '', '-p', '5432',
            '-c', 'wal_level=logical', '-c', 'max_wal_senders=20',
            '-c', 'max_replication_slots=20', '-c', 'fsync=off',
            '-c', 'log_destination=stderr', '-c', 'logging_collector=off',
            '-c', 'max_connections=100', ...this.plugins,
        ], { user: USER, ends: 'QUIT', env: { LC_ALL: 'C.UTF-8' },
             onLine: (line) => lines.put(line) });

        this.process.exit.then(() => lines.put(`ended: ${this.process.output}`));

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
        return `postgresql:///${database}?host=${this.dir}&port=5432`
               + `&user=${USER}`;
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
        return { host: this.dir, port: 5432, user: USER, database, types };
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
