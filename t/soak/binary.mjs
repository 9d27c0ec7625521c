/*
 * nginx as a daemon, which alone lets its binary be replaced: with "daemon
 * off" it takes itself for the new one as long as its parent lives.
 */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { LIMIT, until } from '../e2e/lib/await.mjs';
import { children, start } from '../e2e/lib/processes.mjs';


/*
 * Starts the daemon and lives as long as one of its masters does; ends them
 * when it is ended, or when the test is.  It looks twice: a file may just be
 * renamed to the other's name.
 */
const KEEPER = `
    pids=$1
    shift
    masters() {
        for f in "$pids" "$pids.oldbin"; do
            p=$(cat "$f" 2> /dev/null) && [ -e "/proc/$p/exe" ] && echo "$p"
        done
    }
    trap 'for p in $(masters); do kill -s TERM "$p"; done' TERM
    "$@" || exit 1
    while [ -n "$(masters)$(masters)" ]; do sleep 0.1 & wait $!; done
    exit 0`;


/* Starts nginx anew, as a daemon, on the port it had. */
export async function daemonize(stack) {
    const { nginx } = stack;
    const pids = join(stack.dir, 'nginx.pid');

    await nginx.stop();

    Object.defineProperty(nginx, 'pid', { get: () => pidIn(pids) });

    nginx.process = start('sh', [
        '-c', KEEPER, 'keeper', pids, process.env.KAIROS_NGINX
        ?? '/usr/sbin/nginx', '-p', stack.dir, '-c', nginx.conf,
        '-e', nginx.log, '-g', 'daemon on;',
    ], { ends: 'TERM', env: stack.sanitizerEnv('nginx') });

    await nginx.serves();

    if (stack.replicator) {
        await stack.connected();
    }
}


/* The signals of an upgrade, as nginx's documentation has them. */
export async function replaceBinary(stack) {
    const { nginx } = stack;
    const old = nginx.pid;

    process.kill(old, 'SIGUSR2');

    await until(() => {
        return nginx.pid > 0 && nginx.pid != old
               && children(nginx.pid).length >= stack.options.workers;
    }, 'a new binary has its workers', 2 * LIMIT);

    process.kill(old, 'SIGQUIT');

    await until(() => !existsSync(`/proc/${old}/exe`),
                'the old master has ended', 3 * LIMIT);
}


function pidIn(file) {
    try {
        return Number(readFileSync(file, 'utf8'));

    } catch {
        return 0;
    }
}
