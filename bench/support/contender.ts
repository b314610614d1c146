/** A process of a contest: it is told its part in each round, opens what it needs, and begins at the word. */
import { once } from 'node:events';
import { benchOf } from '../coordinators/bench.js';
import type { Outcome, Part } from './contest.js';

process.on('message', (message: Part | 'go') => {
  if (message !== 'go') void play(message);
});
process.once('disconnect', () => process.exit());

/** Requests of this process, in all rounds. */
let counted: (() => number) | undefined;

async function play(part: Part): Promise<void> {
  const bench = await benchOf(part.url);
  const holding = await bench[part.contest].contenders[part.contender]?.(part);
  if (!holding) throw new Error(`Nobody is called "${part.contender}"`);
  const go = once(process, 'message');
  process.send?.('ready');
  await go;

  counted ??= bench.countRequests();
  const before = counted();
  await holding.requests?.();
  const waits: number[] = [];
  let [worked, first, begun] = [0, 0, 0];
  const loop = async () => {
    while (begun < part.holds) {
      begun++;
      const asked = performance.now();
      await holding.hold(async () => {
        const start = performance.now();
        first ||= start;
        waits.push(start - asked);
        await new Promise((resolve) => setTimeout(resolve, part.ms));
        worked += performance.now() - start;
      });
    }
  };
  await Promise.all(Array.from({ length: part.loops }, loop));

  const { timeOrigin } = performance;
  const last = timeOrigin + performance.now();
  const requests = (await holding.requests?.()) ?? counted() - before;
  const outcome: Outcome = { worked, waits, first: timeOrigin + first, last, requests };
  await holding.close();
  process.send?.(outcome);
}
