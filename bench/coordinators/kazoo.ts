import { spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Peer, startPython } from '../../test/support/peer.js';
import { spawnMortal } from '../../test/support/servers/process.js';
import { find, programs } from '../../test/support/servers/programs.js';
import type { Contender, Where } from '../support/contest.js';

export function hasKazoo(): boolean {
  const python = find(programs.python.program);
  return python !== undefined && spawnSync(python, ['-c', 'import kazoo']).status === 0;
}

/** Told `lock` or `semaphore`, a name, how many keys, and how many pairs on each, it says how many a second. */
export async function startKazooPairs(hosts: string): Promise<Peer> {
  const peer = await startPython(new URL('./kazoo_pairs.py', import.meta.url), hosts);
  await peer.next();
  return peer;
}

/** kazoo's `Lock`, or its `Semaphore`. The bodies are ours, so each hold has four words more to go through a pipe. */
export const kazoo: Contender = async (where: Where) => {
  const waiters = await Waiters.start(where);
  return {
    hold: (body) => waiters.hold(body),
    requests: async () => Number((await waiters.ask('requests')).split(' ')[1]),
    close: async () => waiters.stop(),
  };
};

class Waiters {
  readonly #child: Awaited<ReturnType<typeof spawnMortal>>;
  /** By the first word of the answer. */
  readonly #asking = new Map<string, (answer: string) => void>();
  readonly #idle: string[] = [];
  #count = 0;

  static async start({ url, resource, capacity }: Where): Promise<Waiters> {
    const script = fileURLToPath(new URL('./kazoo_waiters.py', import.meta.url));
    const args = ['-u', script, url.replace('zk://', ''), `/kazoo/${resource}`, capacity];
    const waiters = new Waiters(await spawnMortal({ program: programs.python.program, args }, 'pipe'));
    await waiters.ask('requests');
    return waiters;
  }

  private constructor(child: Awaited<ReturnType<typeof spawnMortal>>) {
    this.#child = child;
    child.stderr?.pipe(process.stderr);
    createInterface({ input: child.stdout! }).on('line', (answer) => {
      this.#asking.get(answer.split(' ')[0] as string)?.(answer);
    });
  }

  ask(word: string): Promise<string> {
    return new Promise((resolve) => {
      this.#asking.set(word, resolve);
      this.#child.stdin?.write(`${word}\n`);
    });
  }

  async hold(body: () => Promise<void>): Promise<void> {
    const waiter = this.#idle.pop() ?? String(this.#count++);
    await this.ask(waiter);
    await body();
    await this.ask(waiter);
    this.#idle.push(waiter);
  }

  stop(): void {
    this.#child.kill();
  }
}
