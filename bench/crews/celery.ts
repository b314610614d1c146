import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { launch } from '../../test/support/servers/process.js';
import { find, programs } from '../../test/support/servers/programs.js';
import { newName } from '../support/names.js';
import type { Figures } from '../support/rounds.js';
import { type Deeds, figuresOf, type Load, type Where } from './crew.js';

const here = fileURLToPath(new URL('.', import.meta.url));

/** Whether Celery, kazoo and Redis' client for Python are there. */
export function hasCelery(): boolean {
  const python = find(programs.python.program);
  return python !== undefined && spawnSync(python, ['-c', 'import celery, kazoo, redis']).status === 0;
}

/** Two workers of Celery with ten processes each, and kazoo's semaphore. `tallies`: a Redis that they count in. */
export async function celeryRound(
  { broker, coordinator }: Where,
  load: Load,
  tallies: string,
): Promise<Figures> {
  const name = newName('celery');
  const [processes, python] = [10, programs.python.program];
  const env = {
    BENCH_BROKER: broker,
    BENCH_TALLIES: tallies,
    BENCH_ZOOKEEPER: coordinator.replace(/^zk:\/\//, ''),
    BENCH_NAME: name,
    BENCH_CAPACITY: String(load.capacity),
    BENCH_MS: String(load.ms),
  };
  const redis = new Redis(tallies);
  const args = ['-m', 'celery', '-A', 'classic_celery', 'worker', '-P', 'prefork', '-c', processes];
  const flags = ['--without-gossip', '--without-mingle', '--without-heartbeat'];
  const workers = await Promise.all(
    ['a', 'b'].map((node) =>
      launch({ program: python, args: [...args, ...flags, '-n', `${name}-${node}`], cwd: here, env }),
    ),
  );
  await reaches(async () => Number(await redis.get(`${name}:workers`)), 2 * processes);
  const publisher = await launch({
    program: python,
    args: ['classic_celery.py', load.tasks],
    cwd: here,
    env,
  });
  await publisher.ended;
  await reaches(() => redis.llen(`${name}:ran`), load.tasks);
  const ran = (await redis.lrange(`${name}:ran`, 0, -1)).map((line) => line.split(' ').map(Number));
  const deliveries = Number(await redis.get(`${name}:deliveries`));
  await Promise.all(workers.map((worker) => worker.end()));
  redis.disconnect();
  return figuresOf([deedsOf(ran, deliveries)], load);
}

function deedsOf(ran: readonly number[][], deliveries: number): Deeds {
  return {
    starts: ran.map(([index = 0, start = 0]) => [index, start]),
    worked: ran.reduce((all, [, start = 0, end = 0]) => all + end - start, 0),
    last: Math.max(...ran.map(([, , end = 0]) => end)),
    deliveries,
    // Each try is one of kazoo's, which is several requests.
    coordinatorCalls: deliveries,
  };
}

async function reaches(count: () => Promise<number>, wanted: number): Promise<void> {
  while ((await count()) < wanted) await new Promise((resolve) => setTimeout(resolve, 50));
}
