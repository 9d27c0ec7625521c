/*
 * What the images and the compose file say, as far as it can be tried without
 * an engine: that their steps find what they name, that nothing is missing at
 * run time, and that PostgreSQL and Kairos are told the same.
 */

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdtempSync, readFileSync, readdirSync,
         realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';

import YAML from 'yaml';

import { LIMIT, until } from './lib/await.mjs';
import { removeCluster, sharedCluster } from './lib/postgres.mjs';
import { CLEAN } from './lib/processes.mjs';
import { BUILD, ROOT } from './lib/stack.mjs';


const PROGRAM = join(BUILD, 'kairos-replicator');
const MODULE = join(BUILD, 'ngx_http_kairos_module.so');


function read(path) {
    return readFileSync(join(ROOT, path), 'utf8');
}


/* Backslashes at the end of a line, and comments, taken away. */
function joined(text) {
    return text.replace(/^ *#.*\n/gm, '').replace(/\\\n\s*/g, '');
}


/* The instructions of a Dockerfile, each with its stage: 0, 1... */
function instructions(path) {
    let stage = -1;

    return joined(read(path)).split('\n').filter(Boolean).map((line) => {
        const [, name, rest] = /^([A-Z]+) (.*)$/.exec(line.trim()) ?? [];

        if (name == 'FROM') {
            stage++;
        }

        return { stage, name, rest };
    });
}


/* What a stage installs from Debian. */
function packages(path, stage) {
    const text = instructions(path).filter((i) => i.stage == stage)
                 .map((i) => i.rest).join(' && ');
    const [, list] = /apt-get install -y --no-install-recommends ([^&]*)/
                     .exec(text);

    return list.trim().split(/\s+/).sort();
}


/* All files and links below a folder. */
function below(dir, path = '') {
    return readdirSync(join(dir, path)).sort().flatMap((name) => {
        const here = join(path, name);

        return lstatSync(join(dir, here)).isDirectory() ? below(dir, here)
                                                        : [here];
    });
}


describe('make install', () => {
    let dir;

    before(() => { dir = mkdtempSync(join(tmpdir(), 'kairos-install-')); });
    after(() => rmSync(dir, { recursive: true, force: true }));

    const make = (target) => execFileSync('make', [
        '-s', '-C', ROOT, '-o', 'all', target, `B=${BUILD}`,
        `DESTDIR=${dir}`, 'PREFIX=/usr'], { env: CLEAN, stdio: 'pipe' });

    /* all below /usr: an image has links in place of /lib and /bin */
    test('puts what a package would, and nothing beside /usr', () => {
        make('install');
        assert.deepEqual(below(dir), [
            'usr/bin/kairos-replicator',
            'usr/lib/nginx/modules/ngx_http_kairos_module.so',
            'usr/lib/systemd/system/kairos-replicator.service',
            'usr/share/doc/kairos/examples/kairos-replicator.env',
            'usr/share/doc/kairos/examples/nginx.conf',
            'usr/share/nginx/modules-available/mod-http-kairos.conf']);
        assert.match(readFileSync(join(dir, 'usr/lib/systemd/system',
                                       'kairos-replicator.service'), 'utf8'),
                     /^ExecStart=\/usr\/bin\/kairos-replicator$/m);
    });

    test('is undone by make uninstall', () => {
        make('install');
        make('uninstall');
        assert.deepEqual(below(dir), []);
    });
});


for (const path of ['docker/Dockerfile', 'docker/postgres.Dockerfile']) {
    test(`${path} copies what is there`, () => {
        const ignored = read('.dockerignore').trim().split('\n');
        const copied = instructions(path).filter(
            ({ name, rest }) => name == 'COPY' && !/--from=/.test(rest));

        assert.ok(copied.length > 0);

        for (const { rest } of copied) {
            const sources = rest.split(/\s+/)
                            .filter((word) => !word.startsWith('--'))
                            .slice(0, -1);

            for (const source of sources) {
                assert.ok(existsSync(join(ROOT, source)), source);
                assert.ok(!ignored.includes(source.split('/')[0]), source);
            }
        }
    });
}


describe('docker/Dockerfile', () => {
    const path = 'docker/Dockerfile';
    const all = instructions(path);
    const last = all.at(-1).stage;
    const steps = (stage) => all.filter((i) => i.stage == stage
                                               && i.name == 'RUN')
                             .map((i) => i.rest).join(' && ');

    test('builds with what tools/install-deps installs', () => {
        const [, list] = /wanted\(\)\n\{\n\s*echo ([^\n]*)/
                         .exec(joined(read('tools/install-deps')));

        assert.deepEqual(packages(path, 0), list.trim().split(/\s+/).sort());
    });

    test('takes the steps of make install', () => {
        assert.match(steps(0), /make -C \/src && make -C \/src install /);
        assert.ok(all.some((i) => i.stage == last && i.name == 'COPY'
                                  && i.rest == '--from=build /out /'));
    });

    test('has every library that the two programs are linked with', () => {
        const installed = packages(path, last);

        for (const program of [PROGRAM, MODULE]) {
            const needed = [...execFileSync('readelf', ['-d', program],
                                            { encoding: 'utf8' })
                            .matchAll(/\(NEEDED\).*\[(.*)\]/g)]
                           .map(([, name]) => name)
                           .filter((name) => !/^lib[au]+b?san\./.test(name));

            assert.ok(needed.length > 2, program);

            for (const name of needed) {
                const owner = execFileSync('dpkg-query', ['-S', `*/${name}`],
                                           { encoding: 'utf8' });

                assert.ok(owner.split('\n').some(
                    (line) => ['libc6', ...installed]
                              .includes(line.split(':')[0])),
                    `${name}, of ${owner}, is in no package of ${installed}`);
            }
        }
    });

    test('has the scripts that it starts', () => {
        const [, names] = /install -m 755 (.*?) \/out\/usr\/lib\/kairos\//
                          .exec(steps(0));
        const scripts = names.trim().split(/\s+/)
                        .map((name) => name.replace('/src/docker/', ''));
        const started = all.filter((i) => ['ENTRYPOINT', 'HEALTHCHECK']
                                          .includes(i.name));

        assert.equal(started.length, 2);

        for (const { rest } of started) {
            const [, script] = /"\/usr\/lib\/kairos\/(\w+)"/.exec(rest);

            assert.ok(scripts.includes(script), script);
        }

        for (const script of [...scripts, 'postgres-start', 'postgres-role']) {
            execFileSync('bash', ['-n', join(ROOT, 'docker', script)]);
            assert.ok(lstatSync(join(ROOT, 'docker', script)).mode & 0o100,
                      `${script} can be executed`);
        }
    });

    test('opens the port and keeps the folder of docker/configure', () => {
        const configure = read('docker/configure');
        const one = (name) => all.find((i) => i.name == name).rest;

        assert.match(configure, new RegExp(`number PORT ${one('EXPOSE')} `));
        assert.match(configure, new RegExp(`KAIROS_RUN ${one('VOLUME')}\n`));
        assert.match(steps(last), new RegExp(
            `install -d -o kairos -g kairos -m 750 ${one('VOLUME')}`));
        assert.equal(one('USER'), 'kairos');
    });
});


describe('docker/compose.yaml', () => {
    const file = YAML.parse(read('docker/compose.yaml'));
    const { kairos, postgres } = file.services;
    const passwords = { POSTGRES_PASSWORD: 'first',
                        KAIROS_PASSWORD: 'second' };

    /* as compose does: ${NAME:?} must be set, ${NAME-default} may be */
    function environment(service, env) {
        const filled = (text) => String(text).replace(
            /\$\{(\w+)(?:(:\?)|-([^}]*))\}/g, (_, name, must, value) => {
                if (must && !env[name]) {
                    throw new Error(`${name} is not set`);
                }

                return env[name] ?? value;
            });

        return Object.fromEntries(Object.entries(service.environment)
               .map(([name, value]) => [name, filled(value)]));
    }

    const configure = (env) => spawnSync(join(ROOT, 'docker/configure'), {
        env: { ...CLEAN, ...environment(kairos, { ...passwords, ...env }) },
        encoding: 'utf8', timeout: LIMIT });

    test('builds from files that are there', () => {
        for (const { build } of [kairos, postgres]) {
            const context = resolve(ROOT, 'docker', build.context);

            assert.equal(context, realpathSync(ROOT));
            assert.ok(existsSync(join(context, build.dockerfile)));
        }
    });

    test('names only what it defines', () => {
        for (const [name, service] of Object.entries(file.services)) {
            for (const volume of service.volumes) {
                assert.ok(volume.split(':')[0] in file.volumes, volume);
            }

            for (const other of Object.keys(service.depends_on ?? {})) {
                assert.ok(file.services[other].healthcheck, `${name}: a `
                          + `service_healthy of ${other} never comes`);
            }
        }
    });

    test('mounts and publishes what the image has', () => {
        const one = (name) => instructions('docker/Dockerfile')
                              .find((i) => i.name == name).rest;

        assert.deepEqual(kairos.volumes.map((v) => v.split(':')[1]),
                         [one('VOLUME')]);
        assert.deepEqual(kairos.ports.map((p) => p.split(':').at(-1)),
                         [one('EXPOSE')]);
    });

    test('sets variables that are documented', () => {
        const pages = read('docs/environment.md') + read('docs/docker.md');

        for (const name of Object.keys(kairos.environment)) {
            assert.match(pages, new RegExp(`^\\| .*\`${name}\``, 'm'), name);
        }
    });

    test('asks for the two passwords', () => {
        for (const name of Object.keys(passwords)) {
            assert.throws(() => [kairos, postgres].map(
                (service) => environment(service, { ...passwords,
                                                    [name]: '' })),
                new RegExp(`${name} is not set`));
        }
    });

    test('tells both of the same role and database', () => {
        const [k, p] = [kairos, postgres].map(
            (service) => environment(service, passwords));

        assert.equal(k.HOSTNAME, 'postgres');
        assert.equal(k.PASSWORD, p.KAIROS_PASSWORD);
        assert.equal(k.DATABASE, p.POSTGRES_DB);
        assert.match(read('docker/postgres-role'),
                     new RegExp(`CREATE ROLE ${k.DBUSERNAME} LOGIN`));
    });

    test('makes a configuration, with its defaults and with all set', () => {
        const plain = configure({});

        assert.equal(plain.status, 0, plain.stderr);
        assert.match(plain.stdout, /kairos_replicator unix:/);
        assert.doesNotMatch(plain.stdout, /kairos_(auth|origins|cors)/);

        const full = configure({
            WEBSOCKET_ORIGINS: 'https://a.example',
            CORS_ORIGINS: 'https://b.example', AUTH_ENABLED: 'true',
            AUTH_SECRET: 'secret' });

        assert.equal(full.status, 0, full.stderr);
        assert.match(full.stdout, /kairos_origins https:\/\/a\.example;/);
        assert.match(full.stdout, /kairos_cors_origins https:\/\/b\.example;/);
        assert.match(full.stdout, /kairos_auth_secret env:AUTH_SECRET;/);
    });
});


describe('docker/postgres-role', () => {
    const password = `it's "a" \\ $secret :x`;
    let postgres, database, admin;

    before(async () => {
        postgres = await sharedCluster();
        database = await postgres.createDatabase();
        admin = postgres.client(database);
        await admin.connect();
        await admin.query('create table posts (id int primary key);'
                          + 'alter table posts replica identity full');
    });

    after(async () => {
        await admin.query('drop owned by kairos; drop role kairos');
        await admin.end();
    });

    /* as the image's entrypoint runs it */
    function run(env) {
        return spawnSync(join(ROOT, 'docker/postgres-role'), {
            env: { ...CLEAN, PGHOST: '127.0.0.1', PGPORT: `${postgres.port}`,
                   POSTGRES_USER: 'postgres', POSTGRES_DB: database, ...env },
            encoding: 'utf8', timeout: LIMIT });
    }

    test('wants a password', () => {
        const ran = run({});

        assert.equal(ran.status, 1);
        assert.match(ran.stderr, /KAIROS_PASSWORD: the password of the role/);
    });

    test('makes a role that replicates and reads nothing', async () => {
        const ran = run({ KAIROS_PASSWORD: password });

        assert.equal(ran.status, 0, ran.stderr);

        const { rows } = await admin.query(`
            select rolcanlogin and rolreplication as can, rolsuper or
                   rolcreatedb or rolcreaterole or rolbypassrls as more,
                   has_table_privilege('kairos', 'posts', 'select') as reads
            from pg_roles where rolname = 'kairos'`);

        assert.deepEqual(rows, [{ can: true, more: false, reads: false }]);
    });

    test('whose password is the one that the replicator has', async (t) => {
        const hba = join(postgres.dir, 'data/pg_hba.conf');
        const rules = readFileSync(hba, 'utf8');

        t.after(async () => {
            writeFileSync(hba, rules);
            await admin.query('select pg_reload_conf()');
        });

        writeFileSync(hba, 'host all kairos 127.0.0.1/32 scram-sha-256\n'
                           + rules);
        await admin.query('select pg_reload_conf()');
        await admin.query('grant select on posts to kairos');

        const dir = mkdtempSync(join(tmpdir(), 'kairos-role-'));

        t.after(() => rmSync(dir, { recursive: true, force: true }));

        const check = (secret) => spawnSync(PROGRAM, ['--check'], {
            env: { ...CLEAN, HOSTNAME: '127.0.0.1', DATABASE: database,
                   DBPORT: `${postgres.port}`, DBUSERNAME: 'kairos',
                   PASSWORD: secret, SLOT: `${database}_slot`,
                   KAIROS_SOCKET: join(dir, 'socket') },
            encoding: 'utf8', timeout: 3 * LIMIT });

        await until(() => check('another').status == 1,
                    'the server asks for a password');

        const ran = check(password);

        assert.equal(ran.status, 0, ran.stdout + ran.stderr);
    });

    test('says so when it cannot', () => {
        const ran = run({ KAIROS_PASSWORD: password });

        assert.notEqual(ran.status, 0);
        assert.match(ran.stderr, /role "kairos" already exists/);
    });
});


after(removeCluster);
