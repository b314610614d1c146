import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createLocks, type Locks } from 'lockkeeper';
import { etcdCoordinator } from 'lockkeeper/etcd';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Coordinator } from '../../src/locks/coordinator.js';
import { type Peer, startPeer, startScript } from '../support/peer.js';
import { useShared } from '../support/servers/index.js';
import { locate, programs } from '../support/servers/programs.js';
import { until } from '../support/until.js';
import { newPrefix } from './etcd-kit.js';

const server = useShared('etcd');
const prefix = newPrefix();
const soon = { timeout: 5_000 };
let coordinator: Coordinator;
let locks: Locks;
const peers: Peer[] = [];

beforeEach(() => {
  coordinator = etcdCoordinator(server.url, { prefix });
  locks = createLocks({ coordinator, resources: { '*': { lease: '2s' } } });
});

afterEach(async () => {
  for (const peer of peers.splice(0)) await peer.end();
  await locks.close();
  await coordinator.close();
});

function lockArguments(name: string, ...command: string[]): string[] {
  return [`--endpoints=${server.url.replace('etcd://', '')}`, 'lock', '--ttl=2', prefix + name, ...command];
}

/** `etcdctl lock NAME`, which prints the key when it has the lock, and holds it until it is ended. */
async function etcdctlLock(name: string): Promise<Peer> {
  const peer = await startPeer({ program: locate(programs.etcdctl), args: lockArguments(name) });
  peers.push(peer);
  return peer;
}

const stands = async (name: string) => {
  const { holders, waiting } = await coordinator.inspect(name, soon);
  return [holders, waiting].map((all) => all.map(({ foreign }) => (foreign ? 'etcdctl' : 'ours')));
};

describe('etcdctl lock', () => {
  it('keeps us out while it holds, and lets us in when it ends', async () => {
    const etcdctl = await etcdctlLock('held-there');
    expect(await etcdctl.next()).toMatch(new RegExp(`^${prefix}held-there/[0-9a-f]+$`));
    expect(await locks.tryAcquire('held-there')).toBeUndefined();
    const acquired = locks.acquire('held-there');
    await until(async () => (await stands('held-there'))[1]!.length === 1);
    expect(await stands('held-there')).toEqual([['etcdctl'], ['ours']]);

    await etcdctl.end('SIGINT');

    const permit = await acquired;
    expect(await stands('held-there')).toEqual([['ours'], []]);
    await permit.release();
  });

  it('waits while we hold, and has it when we release', async () => {
    const permit = await locks.acquire('held-here');
    const etcdctl = await etcdctlLock('held-here');
    await until(async () => (await stands('held-here'))[1]!.length === 1);
    expect(etcdctl.unread).toEqual([]);
    expect(await locks.tryAcquire('held-here')).toBeUndefined();

    await permit.release();

    expect(await etcdctl.next()).toContain('held-here/');
    expect(await locks.tryAcquire('held-here')).toBeUndefined();
    await etcdctl.end('SIGINT');
  });

  it('is served in turn with us, whoever came first', async () => {
    const other = createLocks({ coordinator });
    const permit = await other.acquire('turns');
    const first = await etcdctlLock('turns');
    await until(async () => (await stands('turns'))[1]!.length === 1);
    const second = locks.acquire('turns');
    await until(async () => (await stands('turns'))[1]!.length === 2);
    const third = await etcdctlLock('turns');
    await until(async () => (await stands('turns'))[1]!.length === 3);

    await permit.release();
    await first.next();
    await first.end('SIGINT');
    const ours = await second;
    expect(third.unread).toEqual([]);
    await ours.release();
    await third.next();
    await third.end('SIGINT');
    await other.close();
  });

  it('lets go within its time to live when it is killed', async () => {
    const etcdctl = await etcdctlLock('killed-there');
    await etcdctl.next();
    await etcdctl.end('SIGKILL');
    await (await locks.acquire('killed-there', { waitTimeout: '10s' })).release();
  });

  it('is kept out by a semaphore of ours until nobody holds it, and keeps all of it', async () => {
    const both = createLocks({ coordinator, resources: { pool: { capacity: 2, lease: '2s' } } });
    const [one, two] = [await both.acquire('pool'), await both.acquire('pool')];
    const etcdctl = await etcdctlLock('pool');
    await until(async () => (await stands('pool'))[1]!.length === 1);
    await one.release();
    expect(await both.tryAcquire('pool')).toBeUndefined();
    expect(etcdctl.unread).toEqual([]);
    await two.release();
    await etcdctl.next();
    expect(await both.tryAcquire('pool')).toBeUndefined();
    await etcdctl.end('SIGINT');
    await both.close();
  });
});

describe('a counter that is not atomic', () => {
  it('loses no update of etcdctl lock, nor of ours', { timeout: 60_000 }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lockkeeper-counter-'));
    const file = join(folder, 'counter');
    await writeFile(file, '0\n');
    const end = performance.now() + 4_000;
    const counts = { etcdctl: 0, ours: 0 };

    const script = join(folder, 'increment.sh');
    await writeFile(script, `n=$(cat ${file}); sleep 0.005; echo $((n + 1)) > ${file}\n`);
    const etcdctl = async () => {
      while (performance.now() < end) {
        const args = lockArguments('counter', 'sh', script);
        const peer = await startPeer({ program: locate(programs.etcdctl), args });
        expect(await peer.ended, peer.output()).toBe('exit code 0');
        counts.etcdctl++;
      }
    };
    const ours = async (locks: Locks) => {
      while (performance.now() < end) {
        await locks.using('counter', async () => {
          const count = Number(await readFile(file, 'utf8'));
          await sleep(5);
          await writeFile(file, `${count + 1}\n`);
        });
        counts.ours++;
      }
    };
    const other = createLocks({ coordinator: etcdCoordinator(server.url, { prefix }) });
    await Promise.all([etcdctl(), etcdctl(), ours(locks), ours(locks), ours(other)]);

    expect(counts.etcdctl).toBeGreaterThan(5);
    expect(counts.ours).toBeGreaterThan(5);
    expect(Number(await readFile(file, 'utf8'))).toBe(counts.etcdctl + counts.ours);
    await other.close();
    await rm(folder, { recursive: true });
  });
});

describe('the examples of sharing a lock with etcdctl', () => {
  const example = (name: string) => new URL(`../../examples/sharing/${name}`, import.meta.url);

  it('run, one behind the other', async () => {
    await using node = await startScript(example('etcd.ts'), server.url);
    const args = [fileURLToPath(example('with_etcdctl.sh')), server.url.replace('etcd://', '')];
    await using shell = await startPeer({ program: 'sh', args });
    expect(await node.next()).toBe('Node holds nightly-report');
    expect(await shell.next()).toBe('The shell holds nightly-report');
    expect([await node.ended, await shell.ended]).toEqual(['exit code 0', 'exit code 0']);
  });
});
