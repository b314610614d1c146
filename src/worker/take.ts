import type { Consumer, Taken, TakeOptions } from '../brokers/broker.js';
import type { Clock } from '../clock.js';
import { inTime } from '../in-time.js';

/** How long a broker may take over a take, in milliseconds: a permit waits for it, which others could use. */
const takeTimeout = 10_000;

/** Takes from a room. What comes after the time is over goes back to its queue. */
export async function takeInTime(
  consumer: Consumer,
  clock: Clock,
  resource: string,
  options: TakeOptions,
): Promise<Taken> {
  const answer = consumer.take(resource, options);
  let late = false;
  answer.then(
    (taken) => late && giveBack(taken),
    () => {},
  );
  return await inTime(clock, answer, takeTimeout, () => {
    late = true;
    return new Error(
      `The broker did not answer within ${takeTimeout} ms when it was asked for what waits for "${resource}"`,
    );
  });
}

function giveBack(taken: Taken): void {
  if (taken.kind !== 'taken') return;
  const { message } = taken.delivery;
  taken.delivery.settle({ kind: 'again', message, after: 0 }).catch(() => {});
}
