import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../support/until.js';
import { lease, type Play } from './play.js';
import type { Scenario } from './scenarios.js';

/** Slots of each worker. */
const slots = 20;

/** A worker that holds what is not due would lose its claim to it, again and again, and each would run several times. */
export const delayedForLong: Scenario = async (play) => {
  await Promise.all([1, 2].map(() => play.hire({ takes: 5 })));
  await play.tally.publish(play.broker, play.amount.count, { delay: 3 * lease });
  await sleep(2 * lease);
  const wrong = play.tally.starts > 0 ? ['some started too soon'] : [];
  wrong.push(...(await play.verdict()));
  if (play.tally.starts !== play.amount.count) wrong.push(`${play.tally.starts} runs`);
  return wrong;
};

export interface Delays {
  /** Milliseconds until the first is due, and until the last is after that. */
  readonly after: number;
  readonly over: number;
}

/** What two workers made of delayed tasks of which one was killed. Times are in milliseconds. */
export interface DelayedResult {
  readonly wrong: string[];
  /** Of each worker, in bytes, while the tasks wait. */
  readonly growth: readonly number[];
  /** Of the first worker, of all that started before it was killed. */
  readonly share: number;
  readonly late: { readonly p50: number; readonly p99: number; readonly most: number };
}

/** Many tasks wait for their time while two workers are there, one of which is killed when a half is done. */
export async function manyDelayed(play: Play, delays: Delays): Promise<DelayedResult> {
  const { tally, broker, amount } = play;
  const workers = await Promise.all([1, 2].map(() => play.hire({ takes: 1, concurrency: slots })));
  // The first tasks make a worker grow to its size.
  await tally.publishDelayed(broker, 1_000, { after: 0, over: 100 });
  await until(() => tally.ended.size === 1_000);
  const memory = () => Promise.all(workers.map((worker) => worker.memory()));
  const before = await memory();
  await tally.publishDelayed(broker, amount.count, delays);
  const during = await memory();

  const [first] = workers;
  const own = first!.starts;
  await until(() => tally.ended.size >= 1_000 + amount.count / 2, 600_000);
  const share = (first!.starts - own) / (tally.starts - 1_000);
  await first!.kill();
  play.mayRepeat += slots;
  const wrong = await play.verdict();
  const late = tally.runs.slice(1_000).map((run) => run.late ?? 0);
  late.sort((a, b) => a - b);
  const at = (part: number) => late[Math.floor(part * (late.length - 1))] ?? 0;
  return {
    wrong,
    growth: during.map((bytes, i) => bytes - before[i]!),
    share,
    late: { p50: at(0.5), p99: at(0.99), most: at(1) },
  };
}
