/*
 * Child processes that end with the test, whatever becomes of it, and what
 * /proc tells of them.
 */

import { spawn } from 'node:child_process';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';

import { within } from './await.mjs';


export const IS_ROOT = process.getuid() == 0;

/* of the seed's table, ours, and libpq's variables none may leak into a test */
export const CLEAN = Object.fromEntries(Object.entries(process.env).filter(
    ([name]) => ['PATH', 'HOME', 'LANG', 'LC_ALL'].includes(name)
                || /^(ASAN|UBSAN)_OPTIONS$/.test(name)));


/*
 * Starts a program.  user (only heeded as root): whom to run as.  The kernel
 * sends it `ends` when this process dies, so that nothing is left behind.
 * Lines of its output go to onLine.  Gives {pid, exited, exit, kill()}.
 */
export function start(program, args, { user, env, onLine, ends = 'TERM' }) {
    const as = IS_ROOT && user
               ? [`--reuid=${user}`, `--regid=${idOf(user)}`,
                  '--clear-groups'] : [];

    const child = spawn('setpriv',
                        [...as, `--pdeathsig=${ends}`, '--', program, ...args],
                        { env: { ...process.env, ...env },
                          stdio: ['ignore', 'pipe', 'pipe'] });

    const started = { pid: child.pid, exited: false, code: null,
                      signal: null, output: '' };

    for (const stream of [child.stdout, child.stderr]) {
        let rest = '';

        stream.setEncoding('utf8');
        stream.on('data', (text) => {
            const lines = (rest + text).split('\n');

            rest = lines.pop();
            started.output = (started.output + text).slice(-100000);

            for (const line of lines) {
                onLine?.(line);
            }
        });
    }

    started.exit = new Promise((resolve) => {
        child.on('error', (err) => {
            started.output += `${err.message}\n`;
            started.exited = true;
            resolve(started);
        });

        child.on('close', (code, signal) => {
            Object.assign(started, { exited: true, code, signal });
            resolve(started);
        });
    });

    started.kill = async (signal, what = program, ms) => {
        if (!started.exited) {
            child.kill(signal);
        }

        return within(started.exit, `the end of ${what} after ${signal}`, ms);
    };

    return started;
}


function idOf(user) {
    const line = readFileSync('/etc/passwd', 'utf8').split('\n')
                 .find((l) => l.startsWith(`${user}:`));

    if (line == null) {
        throw new Error(`there is no user "${user}"`);
    }

    return line.split(':')[3];
}


export function uidOf(user) {
    return Number(readFileSync('/etc/passwd', 'utf8').split('\n')
                  .find((l) => l.startsWith(`${user}:`)).split(':')[2]);
}


/* Children of a process: [{pid, title}]. */
export function children(pid) {
    const found = [];
    let list;

    try {
        list = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');

    } catch {
        return found;
    }

    for (const id of list.split(' ').filter(Boolean)) {
        try {
            const title = readFileSync(`/proc/${id}/cmdline`, 'utf8')
                          .replace(/\0/g, ' ').trim();

            found.push({ pid: Number(id), title });

        } catch {
            /* it has just ended */
        }
    }

    return found;
}


/*
 * How many established TCP connections to a local port a process holds:
 * its descriptors in /proc/<pid>/fd, looked up in /proc/net/tcp.
 */
export function connectionsOf(pid, port) {
    const inodes = new Set();
    const local = port.toString(16).toUpperCase().padStart(4, '0');

    for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n')) {
        const f = line.trim().split(/\s+/);

        if (f[1]?.endsWith(`:${local}`) && f[3] == '01') {
            inodes.add(f[9]);
        }
    }

    let n = 0;

    for (const fd of readdirSync(`/proc/${pid}/fd`)) {
        try {
            const link = readlinkSync(`/proc/${pid}/fd/${fd}`);
            const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1];

            if (inodes.has(inode)) {
                n++;
            }

        } catch {
            /* closed meanwhile */
        }
    }

    return n;
}


/* How many peers are connected to a listening Unix socket. */
export function unixPeers(path) {
    return readFileSync('/proc/net/unix', 'utf8').split('\n')
           .map((line) => line.trim().split(/\s+/))
           .filter((f) => f[7] == path && f[5] == '03').length;
}


/* A TCP port that nobody listens on at the moment. */
export function freePort() {
    return new Promise((resolve, reject) => {
        const server = createServer();

        server.on('error', reject);
        server.listen(0, '127.0.0.1', () => {
            const { port } = server.address();

            server.close(() => resolve(port));
        });
    });
}
