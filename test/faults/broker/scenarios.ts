import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../support/until.js';
import type { Hired } from '../support/crew.js';
import { concurrency, type FaultHarness, lease, type Play } from './play.js';

/** Something that goes wrong again and again while tasks run. What is wrong with how they ran, in words. */
export type Scenario = (play: Play) => Promise<string[]>;

/** Two workers of this process run the tasks. */
const withTeam =
  (
    behindProxies: boolean,
    fault: (play: Play, turn: number) => Promise<void>,
    before?: (play: Play) => Promise<void>,
  ): Scenario =>
  async (play) => {
    await play.join({ behindProxies });
    await before?.(play);
    await play.often((turn) => fault(play, turn));
    return await play.verdict();
  };

/** The one that runs the most bodies, when any runs one. They may have run all there is before this looks. */
async function busiest(workers: readonly Hired[], { tally }: Play): Promise<Hired> {
  await until(() => tally.idle || workers.some(({ running }) => running.size > 0), 60_000);
  return workers.reduce((most, worker) => (worker.running.size > most.running.size ? worker : most));
}

const killed = (capacity?: number): Scenario => {
  const spec = { takes: capacity === undefined ? 20 : 5, capacity };
  return async (play) => {
    const workers = await Promise.all([1, 2, 3].map(() => play.hire(spec)));
    await play.often(async () => {
      const victim = await busiest(workers, play);
      await victim.kill();
      play.mayRepeat += concurrency;
      workers[workers.indexOf(victim)] = await play.hire(spec);
    });
    const wrong = await play.verdict();
    const { most } = play.tally;
    if (capacity !== undefined && most > capacity) wrong.push(`${most} of ${capacity} ran at once`);
    return wrong;
  };
};

/** All tasks are run, whatever happens; none more than once unless its worker was given up. */
const scenarios: Readonly<Record<string, Scenario>> = {
  'their server is killed and comes back': withTeam(
    false,
    async (play) => {
      await play.harness.server.restart();
      play.interrupted();
      await play.resumes();
    },
    (play) => play.rooted(),
  ),

  'their server is frozen for longer than their lease': withTeam(false, async (play) => {
    await play.harness.server.freeze();
    await sleep(1.5 * lease);
    await play.harness.server.thaw();
    play.interrupted();
    await play.resumes();
  }),

  'connections are cut': withTeam(true, async (play, turn) => {
    for (const proxy of play.proxies) proxy.cut(turn % 2 ? 'end' : 'reset');
    play.interrupted();
  }),

  'answers to fetching and settling are lost': withTeam(true, async (play) => {
    const { marker = '' } = play.harness;
    const drops = play.proxies.map((proxy) => proxy.dropReply(marker));
    await Promise.race([Promise.all(drops), sleep(3_000)]);
    play.interrupted();
  }),

  'a worker cannot reach its server for longer than its lease': withTeam(true, async (play, turn) => {
    const proxy = play.proxies[turn % 2]!;
    const worker = play.team[turn % 2]!;
    proxy.pause();
    play.mayRepeat += concurrency;
    await sleep(1.5 * lease);
    await until(() => worker.running === 0);
    proxy.resume();
  }),

  'workers are killed with -9': killed(),
  'workers are killed with -9 while their resource is busy': killed(4),

  'workers are stopped for longer than their lease, and wake': async (play) => {
    const workers = await Promise.all([1, 2].map(() => play.hire({ takes: 20 })));
    await play.often(async () => {
      const worker = await busiest(workers, play);
      worker.freeze();
      play.mayRepeat += concurrency;
      await sleep(1.5 * lease);
      worker.thaw();
    });
    return await play.verdict();
  },

  'workers are told to stop while their messages are deferred': async (play) => {
    const spec = { takes: 5, capacity: 2 };
    const { tally, amount } = play;
    const enough = Math.min(100, amount.count / amount.times / 4);
    const wrong: string[] = [];
    let [worker, other] = await Promise.all([play.hire(spec), play.hire(spec)]);
    await play.often(async (turn) => {
      await until(() => tally.deferrals >= enough * (turn + 1), 60_000);
      const told = performance.now();
      const code = await worker.stop();
      const took = performance.now() - told;
      if (code !== 0 || took > 5_000) wrong.push(`it ended with ${code} after ${Math.round(took)} ms`);
      [worker, other] = [other, await play.hire(spec)];
    });
    return [...wrong, ...(await play.verdict())];
  },
};

/** Those that can happen on this broker, by their names. */
export function scenariosOn({ closeChannels }: FaultHarness): Readonly<Record<string, Scenario>> {
  if (!closeChannels) return scenarios;
  const channelsAreClosed = withTeam(false, async (play) => {
    await closeChannels();
    play.interrupted();
  });
  return { ...scenarios, 'their server closes every channel': channelsAreClosed };
}
