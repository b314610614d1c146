import type { Logger } from 'pino';
import type { Unsubscribe } from '../events.js';
import type { Worker } from '../worker/worker.js';

const signals = ['SIGTERM', 'SIGINT'] as const;

/** One Ctrl-C comes twice under npm, from the terminal and from npm: what comes so soon, in milliseconds, is the same one. */
const echo = 250;

/**
 * Stops the worker when it is told to, or has to.
 *
 * It stops at the first signal, at the second at once, and ends the process at the third: by then something blocks
 * that cannot be waited for. What is in hand then comes back with the worker's lease.
 *
 * An error that nobody caught stops the worker at once and makes the exit code 1: what else it may have broken nobody
 * knows, but what runs is put back, and its permits are free for others. It stops too when nobody reads its log any more.
 */
export function onSignals(worker: Worker, log: Logger): Unsubscribe {
  let told = 0;
  let lastAt = Number.NEGATIVE_INFINITY;
  const onSignal = (signal: NodeJS.Signals) => {
    const now = performance.now();
    if (now - lastAt < echo) return;
    lastAt = now;
    told++;
    if (told > 2) process.exit(1);
    const { running } = worker;
    if (told === 1)
      log.info({ signal, running }, 'the worker stops: what runs may end, a second signal stops at once');
    else log.warn({ signal, running }, 'the worker stops at once: what runs is put back');
    void worker.stop();
  };
  const onDeaf = () => {
    log.level = 'silent';
    process.exitCode = 1;
    void worker.stop();
  };
  const onUncaught = (error: unknown) => {
    log.fatal({ err: error }, 'an error that nobody caught: the worker stops at once');
    process.exitCode = 1;
    void worker.stop({ drain: 0 });
  };
  for (const signal of signals) process.on(signal, onSignal);
  process.on('uncaughtException', onUncaught);
  process.stdout.once('error', onDeaf);
  return () => {
    for (const signal of signals) process.off(signal, onSignal);
    process.off('uncaughtException', onUncaught);
    process.stdout.off('error', onDeaf);
  };
}
