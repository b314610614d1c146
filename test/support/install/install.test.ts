import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { aptScript } from './apt-script.js';
import { installMissing, type Machine, type Missing } from './install.js';
import { thisMachine } from './this-machine.js';

const redis: Missing = { name: 'redis-server', debianPackage: 'redis-server', variable: 'TEST_REDIS' };
const epmd: Missing = { name: 'epmd', debianPackage: 'erlang-base' };
const kazoo: Missing = { name: "Python's kazoo", debianPackage: 'python3-kazoo' };

interface Seen {
  readonly installed: string[];
  readonly said: string[];
  readonly asked: string[];
}

/** A Debian where nothing but these is missing, and what it was asked to do. */
function machine(missing: Missing[], differences: Partial<Machine> = {}): { machine: Machine; seen: Seen } {
  const seen: Seen = { installed: [], said: [], asked: [] };
  let left = missing;
  const ordinary: Machine = {
    missing: async () => left,
    environment: {},
    hasApt: true,
    isRoot: true,
    hasSudo: false,
    confirm: undefined,
    install: async (packages, how) => {
      seen.installed.push(`${packages.join(' ')} ${how}`);
      left = [];
    },
    say: (line) => seen.said.push(line),
  };
  return { machine: { ...ordinary, ...differences }, seen };
}

const user = (answer: boolean, seen: () => Seen): Partial<Machine> => ({
  isRoot: false,
  hasSudo: true,
  confirm: async (question) => {
    seen().asked.push(question);
    return answer;
  },
});

describe('the installation of what the tests need', () => {
  it('does and says nothing when all is there', async () => {
    const { machine: complete, seen } = machine([]);
    expect(await installMissing(complete)).toBe(true);
    expect(seen).toEqual({ installed: [], said: [], asked: [] });
  });

  it('installs each missing package once, as root without asking', async () => {
    const { machine: bare, seen } = machine([redis, kazoo, epmd, redis]);
    expect(await installMissing(bare)).toBe(true);
    expect(seen.installed).toEqual(['erlang-base python3-kazoo redis-server as root']);
    expect(seen.said).toEqual(['Installing what the tests need: erlang-base, python3-kazoo, redis-server']);
  });

  it.each([true, false])('asks before it uses sudo (answer: %s)', async (answer) => {
    const { machine: bare, seen } = machine(
      [redis],
      user(answer, () => seen),
    );
    expect(await installMissing(bare)).toBe(answer);
    expect(seen.asked).toEqual(['The tests need redis-server. Install with sudo apt-get?']);
    expect(seen.installed).toEqual(answer ? ['redis-server with sudo'] : []);
  });

  it.each([
    ['nobody is there to be asked', { isRoot: false, hasSudo: true }],
    ['there is no sudo', { isRoot: false, confirm: async () => true }],
  ])('says what to run when %s', async (_, differences) => {
    const { machine: bare, seen } = machine([redis, epmd], differences);
    expect(await installMissing(bare)).toBe(false);
    expect(seen.installed).toEqual([]);
    expect(seen.said.join()).toContain(
      'sudo apt-get update && sudo apt-get install --no-install-recommends erlang-base redis-server',
    );
  });

  it('fails, with what was printed, when packages cannot be installed', async () => {
    const install = async (): Promise<void> => {
      throw new Error('apt-get failed:\nno network');
    };
    const { machine: offline, seen } = machine([redis], { install });
    expect(await installMissing(offline)).toBe(false);
    expect(seen.said.at(-1)).toBe('apt-get failed:\nno network');
  });

  it('fails when something is missing after all', async () => {
    const { machine: stubborn, seen } = machine([redis], { install: async () => {} });
    expect(await installMissing(stubborn)).toBe(false);
    expect(seen.said.at(-1)).toBe('Installed, and still missing: redis-server');
  });

  it('says what to install or to set where there is no apt-get', async () => {
    const { machine: mac, seen } = machine([redis, kazoo], { hasApt: false });
    expect(await installMissing(mac)).toBe(false);
    expect(seen.said).toEqual([
      'redis-server is missing: install what Debian has in redis-server, or set TEST_REDIS to the URL of a server',
      "Python's kazoo is missing: install what Debian has in python3-kazoo",
    ]);
  });

  it('goes on without apt-get when there is a URL for all that is missing', async () => {
    const environment = { TEST_REDIS: 'redis://10.0.0.1' };
    const { machine: mac, seen } = machine([redis], { hasApt: false, environment });
    expect(await installMissing(mac)).toBe(true);
    expect(seen.said).toEqual([
      'redis-server is missing: the tests that freeze and kill it will fail, the others use TEST_REDIS',
    ]);
  });

  it('finds all that the tests need on the machine that runs them', async () => {
    expect(await thisMachine.missing()).toEqual([]);
  });
});

describe('the script for root', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lockkeeper-apt-'));
  });

  afterEach(() => rm(folder, { recursive: true }));

  /** Runs it with an apt-get that notes how it is called, and fails as often as told. */
  async function run(failures: Readonly<Record<'update' | 'install', number>>): Promise<string[]> {
    const fake = `#!/bin/sh
      for argument in "$@"; do case $argument in update|install) step=$argument; esac; done
      policy=none; [ -x ${folder}/policy-rc.d ] && { policy=0; ${folder}/policy-rc.d || policy=$?; }
      echo "$policy $*" >> ${folder}/calls
      case $step in update) limit=${failures.update};; install) limit=${failures.install};; esac
      [ "$(grep -cw $step ${folder}/calls)" -gt $limit ]
    `;
    await writeFile(join(folder, 'apt-get'), fake, { mode: 0o755 });
    await writeFile(join(folder, 'sleep'), '#!/bin/sh\n', { mode: 0o755 });
    const script = aptScript(['a', 'b'], join(folder, 'policy-rc.d'));
    await promisify(execFile)('sh', ['-c', script], { env: { PATH: `${folder}:${process.env.PATH}` } });
    return (await readFile(join(folder, 'calls'), 'utf8')).trim().split('\n');
  }

  it('updates, then installs without recommendations while services may not start', async () => {
    expect(await run({ update: 0, install: 0 })).toEqual([
      expect.stringMatching(/^101 .* update$/),
      expect.stringMatching(/^101 .* install --no-install-recommends a b$/),
    ]);
    expect(existsSync(join(folder, 'policy-rc.d'))).toBe(false);
  });

  it('leaves the policy of the machine as it is', async () => {
    const policy = '#!/bin/sh\nexit 104\n';
    await writeFile(join(folder, 'policy-rc.d'), policy, { mode: 0o755 });
    expect(await run({ update: 0, install: 0 })).toEqual([
      expect.stringMatching(/^104 /),
      expect.stringMatching(/^104 /),
    ]);
    expect(await readFile(join(folder, 'policy-rc.d'), 'utf8')).toBe(policy);
  });

  it('tries again, and installs from the lists that are there when they cannot be renewed', async () => {
    expect(await run({ update: 3, install: 2 })).toHaveLength(6);
  });

  it('fails, and takes its policy away, when it cannot install', async () => {
    await expect(run({ update: 0, install: 3 })).rejects.toThrow();
    expect(existsSync(join(folder, 'policy-rc.d'))).toBe(false);
  });
});
