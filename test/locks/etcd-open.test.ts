import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Etcd3 } from 'etcd3';
import { createApp, createLocks } from 'lockkeeper';
import { etcdCoordinator } from 'lockkeeper/etcd';
import { afterEach, describe, expect, it } from 'vitest';
import { ConfigError, CoordinatorUnavailableError } from '../../src/errors.js';
import type { Coordinator } from '../../src/locks/coordinator.js';
import { parseEtcdUrl } from '../../src/locks/etcd/url.js';
import { ask, enters, exit, hold, newId, soon } from '../conformance/coordinator/kit.js';
import { root, runNode } from '../support/program.js';
import { useEtcd, useShared } from '../support/servers/index.js';
import { newPrefix, rawClient } from './etcd-kit.js';

const server = useShared('etcd');
const opened: Coordinator[] = [];

afterEach(async () => {
  for (const party of opened.splice(0)) await party.close();
});

function open(...of: Parameters<typeof etcdCoordinator>): Coordinator {
  const party = etcdCoordinator(...of);
  opened.push(party);
  return party;
}

describe('the URL of an etcd', () => {
  it.each([
    ['etcd://localhost', { hosts: ['localhost:2379'], tls: false }],
    ['etcd://', { hosts: ['localhost:2379'], tls: false }],
    ['etcd://a,b:1,[::1]:2/', { hosts: ['a:2379', 'b:1', '[::1]:2'], tls: false }],
    ['etcd://me:p%40ss%2F@a', { hosts: ['a:2379'], tls: false, username: 'me', password: 'p@ss/' }],
    ['etcd://a?prefix=locks/', { hosts: ['a:2379'], tls: false, prefix: 'locks/' }],
    [
      'etcds://a?cacert=/ca&cert=/c&key=/k',
      { hosts: ['a:2379'], tls: true, cacert: '/ca', cert: '/c', key: '/k' },
    ],
  ])('may be %s', (url, target) => {
    expect(parseEtcdUrl(url)).toEqual(target);
  });

  it.each([
    ['etcd:a', 'form'],
    ['etcd://a/path', 'form'],
    ['etcd://a:0', 'host'],
    ['etcd://a:99999', 'host'],
    ['etcd://a:b', 'host'],
    ['etcd://me@a', 'user and password'],
    ['etcd://:word@a', 'user and password'],
    ['etcd://me:%zz@a', 'percent-encoded'],
    ['etcd://a?timeout=1', '`timeout`'],
    ['etcd://a?cacert=/ca', 'etcds://'],
    ['etcds://a?cert=/c', '`cert` and `key`'],
  ])('may not be %s', (url, problem) => {
    expect(() => etcdCoordinator(url)).toThrow(ConfigError);
    expect(() => etcdCoordinator(url)).toThrow(problem);
  });

  it('is told without its password', () => {
    expect(() => etcdCoordinator('etcd://me:secret@a:0')).toThrow('etcd://me:***@a:0');
  });

  it('is taken wherever an app takes a coordinator', async () => {
    const url = `${server.url}?prefix=${newPrefix()}`;
    const locks = createLocks({ coordinator: url });
    const app = createApp({ coordinator: url });
    const permit = await locks.acquire('shared');
    expect(await app.locks.tryAcquire('shared')).toBeUndefined();
    await permit.release();
    await app.close();
    await locks.close();
  });
});

describe('what is handed over', () => {
  it.each([[undefined], [null], [{}], [{ kv: {} }], [7]])('must be a client, not %j', (value) => {
    expect(() => etcdCoordinator(value as never)).toThrow(ConfigError);
  });

  it('is not closed with the coordinator', async () => {
    const client: Etcd3 = rawClient(server.url);
    const prefix = newPrefix();
    const party = etcdCoordinator(client, { prefix });
    const held = await hold(party, 'storage');
    await party.close();
    const [key] = await client.getAll().prefix(prefix).keys();
    expect(key).toContain('storage/');
    const other = open(client, { prefix });
    await exit(other, 'storage', held);
    expect(await enters(other, 'storage')).toBe(true);
    await other.close();
    client.close();
  });

  it('may not be a namespace, whose name would be passed over', () => {
    const client = new Etcd3({ hosts: 'localhost:1' });
    expect(() => etcdCoordinator(client.namespace('app/'))).toThrow(/`prefix`/);
    client.close();
  });

  it('may have options, and no others', () => {
    expect(() => etcdCoordinator('etcd://a', { prefix: 7 as never })).toThrow('prefix');
    expect(() => etcdCoordinator('etcd://a', { perfix: 'x' } as never)).toThrow('perfix');
  });
});

describe('an etcd that asks who is there', () => {
  const own = useEtcd();
  const as = (who: string, prefix = 'mine/') => open(own.url.replace('://', `://${who}`), { prefix });

  it('lets in those it knows, and tells the others for good', { timeout: 30_000 }, async () => {
    const client = rawClient(own.url);
    await client.role('mine').create();
    await client.role('mine').grant({ permission: 'Readwrite', range: client.range({ prefix: 'mine/' }) });
    await client.user('worker').create('p@ss');
    await client.user('worker').addRole('mine');
    await client.role('root').create();
    await client.user('root').create('root');
    await client.user('root').addRole('root');
    await client.auth.authEnable();
    client.close();

    const worker = as('worker:p%40ss@');
    await exit(worker, 'storage', await hold(worker, 'storage'));
    for (const party of [as(''), as('worker:wrong@'), as('nobody:x@'), as('worker:p%40ss@', 'theirs/')]) {
      await expect(party.enter(ask('storage', newId()))).rejects.toBeInstanceOf(ConfigError);
      await expect(party.inspect('storage', soon)).rejects.toThrow(/refuses/);
    }

    // A server that is started anew knows none of the tokens it gave.
    await own.restart();
    await exit(worker, 'storage', await hold(worker, 'storage'));
  });
});

describe('an etcd over TLS', () => {
  const own = useEtcd({ tls: true });
  const file = (name: string) => encodeURIComponent(join(own.folder, name));

  it('is spoken to by those who trust it and whom it trusts', async () => {
    const party = open(
      `${own.url}?cacert=${file('cert.pem')}&cert=${file('cert.pem')}&key=${file('key.pem')}`,
    );
    await exit(party, 'storage', await hold(party, 'storage'));
  });

  it('is unavailable to those it does not trust, and to those who do not trust it', async () => {
    for (const url of [`${own.url}?cacert=${file('cert.pem')}`, own.url, own.url.replace('etcds', 'etcd')]) {
      const answer = open(url).enter(ask('storage', newId(), { timeout: 500 }));
      await expect(answer).rejects.toBeInstanceOf(CoordinatorUnavailableError);
    }
  });

  it('needs files that are there', async () => {
    const party = open(`${own.url}?cacert=/no/such/file`);
    await expect(party.inspect('storage', soon)).rejects.toThrow(/Cannot read "\/no\/such\/file"/);
  });
});

describe('rates', () => {
  it('are refused where they are declared, with the remedy', () => {
    const declare = () =>
      createApp({ coordinator: open(server.url), resources: { 'sms-api': { rate: '100/m' } } });
    expect(declare).toThrow(ConfigError);
    expect(declare).toThrow(/`resources\["sms-api"\]`.*etcd.*`coordinator`/);
    createApp({
      coordinator: open(server.url),
      resources: { 'sms-api': { rate: '100/m', coordinator: 'memory:' } },
    });
  });

  it('and leases of less than two seconds too', () => {
    const declare = () =>
      createLocks({ coordinator: open(server.url), resources: { quick: { lease: '1s' } } });
    expect(declare).toThrow(/needs 2000 ms or more/);
  });
});

describe('a process', { timeout: 60_000 }, () => {
  /** Runs a program with the coordinator's URL; it must end by itself. */
  async function run(source: string, ...flags: string[]) {
    const folder = join(root, '.cache', `etcd-${newId()}`);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'program.ts'), source);
    const url = `${server.url}?prefix=${newPrefix()}`;
    const ran = await runNode([...flags, '--import', 'tsx', join(folder, 'program.ts'), url]);
    await rm(folder, { recursive: true });
    return ran;
  }

  it('loads the client when it is used, and ends when all is closed', async () => {
    const ran = await run(`
      import { createRequire } from 'node:module';
      import { createLocks } from 'lockkeeper';
      const { cache } = createRequire(import.meta.url);
      const loaded = () => Object.keys(cache).some((path) => path.includes('/etcd3/'));
      const locks = createLocks({ coordinator: process.argv[2] });
      console.log(loaded());
      const permit = await locks.acquire('storage');
      console.log(loaded(), permit.signal.aborted);
      const other = createLocks({ coordinator: process.argv[2] });
      const waiting = other.acquire('storage');
      await new Promise((resolve) => setTimeout(resolve, 100));
      await permit.release();
      await (await waiting).release();
      await locks.close();
      await other.close();
      console.log('closed');
    `);
    expect(ran).toEqual({ code: 0, errors: '', output: 'false\ntrue false\nclosed\n' });
  });

  it('ends though nothing is closed, when nothing is held', async () => {
    const ran = await run(`
      import { createLocks } from 'lockkeeper';
      const locks = createLocks({ coordinator: process.argv[2] });
      await locks.using('storage', async (permit) => void permit.signal);
      console.log('done');
    `);
    expect(ran).toEqual({ code: 0, errors: '', output: 'done\n' });
  });

  it('ends though nothing is closed, and etcd is gone for good with steps that nobody waits for', async () => {
    const ran = await run(`
      import { createLocks } from 'lockkeeper';
      import { startEtcd } from '../../test/support/servers/index.js';
      const server = await startEtcd();
      const locks = createLocks({ coordinator: server.url, resources: { '*': { lease: 2000 } } });
      await locks.using('storage', async (permit) => void permit.signal);
      const waiting = Array.from({ length: 3 }, () => locks.acquire('storage', { waitTimeout: 500 }));
      await server.kill();
      const ends = await Promise.allSettled(waiting);
      console.log(...ends.map(({ reason }) => reason?.code));
    `);
    const code = 'COORDINATOR_UNAVAILABLE';
    expect(ran).toEqual({ code: 0, errors: '', output: `${code} ${code} ${code}\n` });
  });

  it('is told what to install when the client is missing', async () => {
    const hook = `export async function resolve(name, context, next) {
      if (name !== 'etcd3') return next(name, context);
      throw Object.assign(new Error('none'), { code: 'ERR_MODULE_NOT_FOUND' });
    }`;
    const register = `import { register } from 'node:module'; register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(hook)}`)});`;
    const ran = await run(
      `
      import { createLocks } from 'lockkeeper';
      const locks = createLocks({ coordinator: process.argv[2] });
      await locks.acquire('storage').catch((error) => console.log(error.name, error.message));
      await locks.close();
    `,
      '--import',
      `data:text/javascript,${encodeURIComponent(register)}`,
    );
    expect(ran).toMatchObject({
      code: 0,
      output: 'ConfigError etcd needs the packages `etcd3` and `cockatiel`: npm install etcd3 cockatiel\n',
    });
  });
});
