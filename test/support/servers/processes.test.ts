import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { startPeer, startScript } from '../peer.js';
import { until } from '../until.js';
import { removeFolder, temporaryFolder } from './folders.js';
import { freePorts } from './ports.js';
import { launch } from './process.js';
import { locate } from './programs.js';

describe('servers', () => {
  it('die with the process that started them, even when that is killed', async () => {
    const all = ['redis', 'redis-sentinel', 'etcd', 'zookeeper', 'rabbitmq'];
    await using parent = await startScript(new URL('parent.ts', import.meta.url), ...all);
    expect(await parent.next(90_000)).toBe('started');
    const servers = await descendantsOf(parent.pid);
    // One, five, one, one, and the port mapper and the virtual machine.
    expect(servers.length).toBeGreaterThanOrEqual(10);

    await parent.end('SIGKILL');
    await until(async () => !(await processes()).some(({ pid }) => servers.includes(pid)), 15_000);
  }, 120_000);
});

/** All processes that are not mere zombies. */
async function processes(): Promise<{ pid: number; parent: number }[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const stats = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')));
  return pids.flatMap((pid, index) => {
    const [state, parent] = stats[index]!.slice(stats[index]!.lastIndexOf(')') + 2).split(' ');
    return state && state !== 'Z' ? [{ pid, parent: Number(parent) }] : [];
  });
}

async function descendantsOf(ancestor: number): Promise<number[]> {
  const all = await processes();
  const below = (parent: number): number[] =>
    all.filter((each) => each.parent === parent).flatMap(({ pid }) => [pid, ...below(pid)]);
  return below(ancestor);
}

describe('a process', () => {
  it('that is frozen does nothing until it is thawed', async () => {
    await using echo = await startPeer({ program: '/bin/cat', args: [] });
    await echo.freeze();
    echo.say('a');
    await expect(echo.next(100)).rejects.toThrow('said nothing for 100 ms');
    echo.thaw();
    expect(await echo.next()).toBe('a');
  });

  it('is ended while frozen, takes what it started along, and tells how it ended', async () => {
    const shell = await launch({ program: '/bin/sh', args: ['-c', 'sleep 1000 & echo up; wait'] });
    await until(() => shell.output() === 'up\n');
    const [sleep] = await descendantsOf(shell.pid);
    await shell.freeze();
    await shell.end();
    expect(await shell.ended).toBe('SIGKILL');
    expect(shell.running).toBe(false);
    await until(async () => !(await processes()).some(({ pid }) => pid === sleep));
    await expect(shell.freeze()).rejects.toThrow('Nothing to freeze');
  });
});

describe('a program that is missing', () => {
  const before = process.env.PATH;

  afterEach(() => {
    process.env.PATH = before;
  });

  it('is named with its package and what else could be done', () => {
    const requirement = { program: 'no-such-server', debianPackage: 'some-server', variable: 'TEST_SOME' };
    expect(() => locate(requirement)).toThrow(
      'The tests need no-such-server. Install it with "npm run servers" or "apt-get install some-server", or set ' +
        'TEST_SOME to the URL of a server for those tests that only use one.',
    );
  });

  it('is not found by a path of nothing, and is where it is for root only', () => {
    process.env.PATH = '';
    expect(() => locate({ program: 'cat', debianPackage: 'coreutils' })).toThrow('The tests need cat');
    expect(locate({ program: 'start-stop-daemon', debianPackage: 'dpkg' })).toBe(
      '/usr/sbin/start-stop-daemon',
    );
  });
});

describe('ports', () => {
  it('are all different, free, and not those that clients get from the system', async () => {
    const ports = await freePorts(120);
    expect(new Set(ports).size).toBe(120);
    for (const port of ports) expect(port).toBeLessThan(32_768);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(ports[0], '127.0.0.1', resolve));
    server.close();
  });

  it('are different for different processes', async () => {
    const url = new URL('ports.ts', import.meta.url).href;
    const code = `const { freePorts } = await import('${url}'); console.log((await freePorts(60)).join());`;
    const program = {
      program: process.execPath,
      args: ['--import', 'tsx', '--input-type=module', '-e', code],
    };
    const others = await Promise.all([startPeer(program), startPeer(program)]);
    const theirs = await Promise.all(others.map((other) => other.next()));
    const all = [...(await freePorts(60)), ...theirs.flatMap((line) => line.split(',').map(Number))];
    expect(new Set(all).size).toBe(180);
    await Promise.all(others.map((other) => other.end()));
  });
});

describe('temporary folders', () => {
  it('of runs that are over are removed, and ours are not', async () => {
    const ours = await temporaryFolder('test');
    expect(basename(ours)).toMatch(new RegExp(`^lockkeeper-test-${process.pid}-test-`));
    // No process can have such a number.
    const abandoned = join(tmpdir(), 'lockkeeper-test-99999999-redis-abcdef');
    await mkdir(join(abandoned, 'data'), { recursive: true });

    await using other = await startScript(new URL('parent.ts', import.meta.url), 'redis');
    await other.next();
    await expect(stat(abandoned)).rejects.toThrow('ENOENT');
    await stat(ours);
    await removeFolder(ours);
  });
});
