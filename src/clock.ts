/**
 * Time, as a part that can be replaced: everything in this package that waits or measures asks a `Clock`, so that a
 * test advances time instead of waiting for it.
 */
export interface Clock {
  /** Milliseconds on a clock that never goes back. Its zero means nothing. */
  now(): number;
  /** Milliseconds since 1970. It may jump. */
  wall(): number;
  /**
   * Calls back once, `ms` milliseconds from now. The timer does not keep the process alive unless `keepAlive` says
   * so: for a wait that a caller is waiting for.
   */
  after(ms: number, callback: () => void, options?: { keepAlive?: boolean }): Cancel;
}

export type Cancel = () => void;

/** Timers beyond this fire at once in Node, so longer waits are cut and begun again. */
const longestTimer = 2_147_483_647;

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(ms, callback, options) {
    let timer: NodeJS.Timeout;
    const start = (left: number) => {
      const step = Math.min(left, longestTimer);
      timer = setTimeout(() => (left > step ? start(left - step) : callback()), step);
      if (!options?.keepAlive) timer.unref();
    };
    start(Math.max(0, ms));
    return () => clearTimeout(timer);
  },
};

/** An instant on both clocks, for what must stay right when one of them stands still or jumps. */
export interface Moment {
  readonly now: number;
  readonly wall: number;
}

export function moment(clock: Clock): Moment {
  return { now: clock.now(), wall: clock.wall() };
}

/**
 * Milliseconds since `start`, by whichever clock says more. On Linux the monotonic clock stands still while the machine
 * is suspended and a server's does not; a wall clock set forward can only end a lease early, one set back changes
 * nothing.
 */
export function since(clock: Clock, start: Moment, now = clock.now()): number {
  return Math.max(now - start.now, clock.wall() - start.wall);
}

/** Resolves after `ms` milliseconds, or rejects with the signal's reason as soon as it aborts. */
export function sleep(
  clock: Clock,
  ms: number,
  options?: { signal?: AbortSignal; keepAlive?: boolean },
): Promise<void> {
  const signal = options?.signal;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.after(
      ms,
      () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      },
      { keepAlive: options?.keepAlive },
    );
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** The time more or less, by up to a quarter: so that those who wait for the same thing do not ask at the same moment. */
export function jittered(ms: number): number {
  return ms * (0.75 + Math.random() / 2);
}
