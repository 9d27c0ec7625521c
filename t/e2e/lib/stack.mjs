/*
 * The whole of Kairos for a test: PostgreSQL, kairos-replicator, and nginx
 * with the module, each of them private and real.
 */

import assert from 'node:assert/strict';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync,
         readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';

import { LIMIT, until, within } from './await.mjs';
import { removeCluster, sharedCluster } from './postgres.mjs';
import { IS_ROOT, children, connectionsOf, freePort, start, uidOf, unixPeers }
    from './processes.mjs';


export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../../..');

const SANITIZE = process.env.KAIROS_SANITIZE == '1';
const VALGRIND = process.env.KAIROS_VALGRIND == '1';
export const BUILD = process.env.KAIROS_BUILD
                     ?? join(ROOT, '.build', SANITIZE ? 'asan' : '');
const NGINX = process.env.KAIROS_NGINX ?? '/usr/sbin/nginx';
const USER = 'nobody';
const SUPPRESSIONS = `suppressions=${join(ROOT, 't/lib/lsan.supp')}`
                     + ':print_suppressions=0';


/*
 * Starts it all and waits until it serves.
 *
 *   workers      worker processes of nginx
 *   replicator   false: nginx alone, plain pub/sub
 *   postgres     false: none is started (implies no replicator)
 *   directives   lines for the location /realtime
 *   main         lines for the main block
 *   zone         the line that declares the zone "live"
 *   http         lines for the http block
 *   server       lines for the server block
 *   env          the replicator's environment, over ours
 *   www          a directory to serve at /
 *   nginxEnv     nginx's environment, over ours
 *   expected     what nginx may complain of, a RegExp
 *   setup        SQL that is run before the replicator starts
 *   user         the replicator's role, which setup makes
 *
 * Gives {base, httpBase, port, dir, sql(), pool, databaseUrl, slot, nginx,
 * replicator, postgres, stop()}.  stop() ends everything and throws when
 * nginx or the replicator complained of what no test asked for.
 */
export async function startStack(options = {}) {
    const stack = new Stack({ workers: 2, replicator: true, postgres: true,
                              directives: '', main: '', http: '', server: '',
                              zone: 'kairos_zone live 8m;', env: {},
                              setup: '', ...options });

    try {
        await stack.start();

    } catch (err) {
        const log = stack.nginx?.errorLog() ?? '';
        const told = stack.replicator?.output() ?? '';

        await stack.destroy();
        err.message += `\nnginx: ${log.slice(-3000)}`
                       + `\nkairos-replicator: ${told.slice(-3000)}`;
        throw err;
    }

    return stack;
}


/* when a test file is done, so is its PostgreSQL */
after(removeCluster);


class Stack {
    constructor(options) {
        this.options = options;
        this.dir = mkdtempSync(join(tmpdir(), 'kairos-'));
        this.socket = join(this.dir, 'run/replicator.sock');

        chmodSync(this.dir, 0o755);
        mkdirSync(join(this.dir, 'run'));
        mkdirSync(join(this.dir, 'reports'), { mode: 0o777 });
        chmodSync(join(this.dir, 'reports'), 0o777);

        if (IS_ROOT) {
            chownSync(join(this.dir, 'run'), uidOf(USER), -1);
        }
    }

    async start() {
        const o = this.options;

        if (o.postgres) {
            this.postgres = await sharedCluster();
            this.database = await this.postgres.createDatabase();
            this.slot = `${this.database}_slot`;
            this.databaseUrl = this.postgres.url(this.database);
            this.pool = this.postgres.pool(this.database);

            if (o.setup) {
                await this.sql(o.setup);
            }

            if (o.user) {
                const url = new URL(this.databaseUrl);

                url.username = o.user;
                this.databaseUrl = url.href;
            }
        }

        if (o.postgres && o.replicator) {
            this.replicator = new Replicator(this);
            await this.replicator.start();
        }

        this.nginx = new Nginx(this);
        await this.nginx.start();

        this.port = this.nginx.port;
        this.httpBase = `http://127.0.0.1:${this.port}`;
        this.base = `ws://127.0.0.1:${this.port}/realtime`;

        if (this.replicator) {
            await this.connected();
            await this.streaming();
        }
    }

    /* Rows of a query; values are strings as PostgreSQL prints them. */
    async sql(query, values) {
        const result = await this.pool.query(query, values);

        return Array.isArray(result) ? result.at(-1).rows : result.rows;
    }

    /* Waits until every worker is connected to the replicator. */
    connected() {
        return until(() => unixPeers(this.socket) >= this.options.workers,
                     'every worker is connected to the replicator', 2 * LIMIT);
    }

    /* Waits until the replicator reads its slot. */
    streaming() {
        return until(() => this.sql('select from pg_replication_slots'
                                    + ' where slot_name = $1 and active',
                                    [this.slot])
                               .then((rows) => rows.length, () => 0),
                     `the slot ${this.slot} is read`, 3 * LIMIT);
    }

    /*
     * Waits until the replicator has confirmed to PostgreSQL all that is
     * committed now: the replicator has sent all events of it by then.
     */
    async confirmed(ms = 3 * LIMIT) {
        const [{ at }] = await this.sql('select pg_current_wal_lsn() as at');

        await until(() => this.sql(
            'select from pg_replication_slots where slot_name = $1'
            + ' and confirmed_flush_lsn >= $2', [this.slot, at])
            .then((rows) => rows.length), `${at} is confirmed`, ms);
    }

    async stop() {
        const faults = await this.destroy();

        assert.equal(faults.join('\n'), '', 'what went wrong behind the test');
    }

    async destroy() {
        let faults = [];

        for (const part of [this.nginx, this.replicator]) {
            try {
                faults.push(...await part?.end() ?? []);

            } catch (err) {
                faults.push(err.message);
            }
        }

        await this.pool?.end().catch(() => {});

        const reports = join(this.dir, 'reports');

        for (const name of readdirSync(reports)) {
            faults.push(readFileSync(join(reports, name), 'utf8'));
        }

        /* valgrind begins a report before it has anything to say */
        faults = faults.filter((fault) => fault != '');

        if (this.postgres && !this.postgres.process.exited) {
            await this.dropDatabase().catch((err) => faults.push(err.message));
        }

        if (process.env.KAIROS_KEEP == null) {
            rmSync(this.dir, { recursive: true, force: true });
        }

        return faults;
    }

    async dropDatabase() {
        const client = this.postgres.client('postgres');

        await client.connect();

        try {
            await until(async () => {
                await client.query('select pg_terminate_backend(active_pid)'
                                   + ' from pg_replication_slots'
                                   + ' where slot_name = $1 and active',
                                   [this.slot]);
                await client.query('select pg_drop_replication_slot(slot_name)'
                                   + ' from pg_replication_slots'
                                   + ' where slot_name = $1 and not active',
                                   [this.slot]);

                const { rows } = await client.query(
                    'select from pg_replication_slots where slot_name = $1',
                    [this.slot]);

                return rows.length == 0;
            }, `the slot ${this.slot} is dropped`);

            await client.query(`drop database ${this.database} with (force)`);

        } finally {
            await client.end();
        }
    }

    /* of a sanitized build, which writes a report and goes on or dies */
    sanitizerEnv(program) {
        if (VALGRIND) {
            return { KAIROS_REPORTS: join(this.dir, 'reports') };
        }

        if (!SANITIZE) {
            return {};
        }

        const log = `log_path=${join(this.dir, 'reports', program)}`;

        return {
            ASAN_OPTIONS: `${log}:detect_leaks=1:abort_on_error=0`
                          + ':detect_odr_violation=0',
            UBSAN_OPTIONS: `${log}:print_stacktrace=1`,
            ...program == 'nginx' ? { LSAN_OPTIONS: SUPPRESSIONS } : {},
        };
    }
}


class Replicator {
    constructor(stack) {
        this.stack = stack;
        this.told = '';
    }

    output() {
        return this.told;
    }

    get pid() {
        return this.process?.pid;
    }

    async start() {
        const stack = this.stack;

        this.wanted = true;
        this.process = start(join(BUILD, 'kairos-replicator'), [], {
            user: USER,
            onLine: (line) => { this.told += `${line}\n`; },
            env: {
                DATABASE_URL: stack.databaseUrl,
                SLOT: stack.slot,
                KAIROS_SOCKET: stack.socket,
                ...stack.sanitizerEnv('replicator'),
                ...stack.options.env,
            },
        });

        const started = this.process;

        await until(() => started.exited || existsSync(stack.socket),
                    'kairos-replicator listens', 2 * LIMIT);

        assert.equal(started.exited, false,
                     `kairos-replicator did not start:\n${started.output}`);

        /* before it reads the slot it waits for the workers to register */
        if (stack.nginx) {
            await stack.connected();
            await stack.streaming();
        }
    }

    /* as an administrator stops it; its end must be orderly */
    async stop() {
        this.wanted = false;

        const ended = await this.process.kill('SIGTERM', 'kairos-replicator');

        assert.equal(ended.code, 0, 'the exit status of kairos-replicator '
                     + `(signal ${ended.signal}):\n${ended.output}`);
    }

    /* as a crash */
    async kill(signal = 'SIGKILL') {
        this.wanted = false;
        await this.process.kill(signal, 'kairos-replicator');
    }

    async end() {
        if (this.process == null || !this.wanted) {
            return [];
        }

        if (this.process.exited) {
            const { code, signal, output } = this.process;

            return [`kairos-replicator ended by itself: status ${code}, `
                    + `signal ${signal}\n${output.slice(-3000)}`];
        }

        try {
            await this.stop();
            return [];

        } catch (err) {
            if (!this.process.exited) {
                await this.process.kill('SIGKILL', 'kairos-replicator');
            }

            return [err.message];
        }
    }
}


class Nginx {
    constructor(stack) {
        this.stack = stack;
        this.killed = new Set();
        this.log = join(stack.dir, 'error.log');
        this.conf = join(stack.dir, 'nginx.conf');

        for (const name of ['body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']) {
            mkdirSync(join(stack.dir, name));
        }
    }

    get pid() {
        return this.process.pid;
    }

    /* PIDs of the workers that accept connections. */
    workers() {
        const serves = VALGRIND ? this.servesByLog()
                                : (w) => w.title == 'nginx: worker process';

        return children(this.pid).filter(serves).map((child) => child.pid);
    }

    /* under valgrind no process can change its title */
    servesByLog() {
        const pids = (pattern) => new Set(Array.from(
            this.errorLog().matchAll(pattern), (match) => Number(match[1])));
        const started = pids(/: start worker process (\d+)$/gm);
        const leaving = pids(/ (\d+)#\d+: gracefully shutting down$/gm);

        return ({ pid }) => started.has(pid) && !leaving.has(pid);
    }

    /* How many client connections a worker holds. */
    connections(worker) {
        return connectionsOf(worker, this.port);
    }

    /* What kairos_status says of a zone. */
    async status(path = '/status') {
        return within(new Promise((resolve, reject) => {
            get({ host: '127.0.0.1', port: this.port, path, agent: false,
                  headers: { Connection: 'close' } }, (res) => {
                let text = '';

                res.setEncoding('utf8');
                res.on('data', (data) => { text += data; });
                res.on('end', () => resolve(JSON.parse(text)));
            }).on('error', reject);
        }), 'the answer of kairos_status');
    }

    errorLog() {
        return existsSync(this.log) ? readFileSync(this.log, 'utf8') : '';
    }

    async start() {
        for (let i = 0; i < 5; i++) {
            if (this.port == null || i > 0) {
                this.port = await freePort();
            }

            this.configure();
            this.spawn();

            if (await this.serves()) {
                return;
            }

            if (!/Address already in use/.test(this.errorLog())) {
                break;
            }

            writeFileSync(this.log, '');
        }

        throw new Error(`nginx did not start:\n${this.process.output}`
                        + this.errorLog());
    }

    configure() {
        writeFileSync(this.conf, this.configuration());
    }

    spawn() {
        this.process = start(NGINX, ['-p', this.stack.dir, '-c', this.conf,
                                     '-e', this.log, '-g', 'daemon off;'],
                             { ends: 'TERM',
                               env: { ...this.stack.sanitizerEnv('nginx'),
                                      ...this.stack.options.nginxEnv } });
    }

    /* True when a worker has answered, false when nginx has ended. */
    async serves() {
        await until(() => this.process.exited || answers(this.port),
                    'nginx answers', 2 * LIMIT);
        await until(() => this.process.exited || this.workers().length
                                                 == this.stack.options.workers,
                    'nginx has all its workers', 2 * LIMIT);

        return !this.process.exited;
    }

    /*
     * Loads the configuration again, as stack.options are now; returns when
     * only new workers serve.  Old ones may still say goodbye to their
     * clients.
     */
    async reload() {
        const old = new Set(this.workers());

        this.configure();
        process.kill(this.pid, 'SIGHUP');

        await until(() => {
            const now = this.workers();

            return now.length == this.stack.options.workers
                   && now.every((pid) => !old.has(pid));
        }, 'new workers serve after the reload', 2 * LIMIT);
    }

    /* Kills a worker and waits for the one that takes its place. */
    async killWorker(pid, signal = 'SIGKILL') {
        this.killed.add(`${pid}`);
        process.kill(pid, signal);

        await until(() => {
            const now = this.workers();

            return now.length == this.stack.options.workers
                   && !now.includes(pid);
        }, `a new worker serves instead of ${pid}`, 2 * LIMIT);
    }

    /* Stops and starts again, on the same port. */
    async stop(signal = 'SIGTERM') {
        await this.process.kill(signal, 'nginx', 2 * LIMIT);
    }

    async end() {
        const faults = [];

        if (this.process == null) {
            return faults;
        }

        if (!this.process.exited) {
            try {
                await this.stop('SIGTERM');

            } catch (err) {
                faults.push(err.message);
                await this.process.kill('SIGKILL', 'nginx');
            }
        }

        if (this.process.code != 0) {
            faults.push(`nginx ended with status ${this.process.code}, `
                        + `signal ${this.process.signal}`);
        }

        for (const line of this.errorLog().split('\n')) {
            if (this.isFault(line)) {
                faults.push(line);
            }
        }

        if (process.env.KAIROS_KEEP == null) {
            return faults;
        }

        return faults.map((line) => `${line} (${this.log})`);
    }

    isFault(line) {
        if (/Sanitizer|runtime error:/.test(line)) {
            return true;
        }

        if (this.stack.options.expected?.test(line)) {
            return false;
        }

        const killed = /worker process (\d+) exited on signal 9/.exec(line);

        if (killed && this.killed.has(killed[1])) {
            return false;
        }

        return /\[(alert|emerg|crit)\]|exited on signal/.test(line);
    }

    configuration() {
        const { dir, socket, options: o } = this.stack;
        const module = join(BUILD, 'ngx_http_kairos_module.so');
        const replicator = this.stack.replicator
                           ? `kairos_replicator unix:${socket};` : '';

        return `
${IS_ROOT ? `user ${USER} ${groupOf()};` : ''}
worker_processes ${o.workers};
${VALGRIND ? '' : 'worker_rlimit_nofile 8192;'}
load_module ${module};
error_log ${this.log} ${process.env.KAIROS_LOG ?? 'info'};
pid ${dir}/nginx.pid;
${o.main}

events {
    worker_connections 4096;
}

http {
    access_log off;
    client_body_temp_path ${dir}/body;
    proxy_temp_path ${dir}/proxy;
    fastcgi_temp_path ${dir}/fastcgi;
    uwsgi_temp_path ${dir}/uwsgi;
    scgi_temp_path ${dir}/scgi;
    include /etc/nginx/mime.types;

    ${o.zone}
    ${o.http}

    server {
        listen 127.0.0.1:${this.port} reuseport;
        ${o.server}

        location /realtime {
            kairos live;
            ${replicator}
            ${o.directives}
        }

        location = /ready {
            return 204;
        }

        location = /status {
            kairos_status live;
        }

        ${o.www ? `location / { root ${o.www}; }` : ''}
    }
}
`;
    }
}


function groupOf() {
    return existsSync('/etc/debian_version') ? 'nogroup' : USER;
}


function answers(port) {
    return within(new Promise((resolve) => {
        const req = get({ host: '127.0.0.1', port, path: '/ready',
                          agent: false }, (res) => {
            res.resume();
            res.on('end', () => resolve(res.statusCode == 204));
        });

        req.on('error', () => resolve(false));
    }), 'an answer of nginx');
}
