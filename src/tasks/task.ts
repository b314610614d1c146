import { randomUUID } from 'node:crypto';
import { ConfigError } from '../errors.js';
import { type Limit, shareOf } from '../locks/limit.js';
import { runUnder } from '../locks/limits.js';
import type { Locks } from '../locks/locks.js';
import { scope } from '../locks/scope.js';
import { checkCall } from '../locks/terms.js';
import type { Share } from '../message.js';
import { type CallOptions, noOptions, type Outgoing, outgoing } from './call.js';
import { currentRun, RunContext } from './context.js';
import type { TaskSettings } from './options.js';
import type { TaskResult } from './result.js';

/** A task, to call. */
export interface Task<A extends readonly unknown[], R> {
  /** Runs it here and now, under its limits: it waits in the fair lines, and throws `LockTimeoutError` or `BusyError`. */
  (...args: A): Promise<R>;
  readonly taskName: string;
  readonly limits: readonly Limit[];
  /** Has a worker run it. Resolves when the broker has the message. */
  delay(...args: A): Promise<TaskResult<R>>;
  /** Many at once, in this order. */
  delayMany(calls: Iterable<A>): Promise<TaskResult<R>[]>;
  /** As `delay`, with options for this call. */
  applyAsync(args: A, options?: CallOptions): Promise<TaskResult<R>>;
}

/** What the runner knows of a task. */
export interface TaskRecord {
  readonly name: string;
  readonly limits: readonly Limit[];
  /** What its limits ask for, when that depends on no arguments: then it does not travel with every message. */
  readonly fixed: readonly Share[] | undefined;
  readonly settings: TaskSettings;
  /** The body of one run, without limits. */
  readonly run: (args: readonly unknown[]) => unknown;
}

/** What a task needs of its app. */
export interface TaskHost {
  readonly locks: Locks;
  readonly maxMessageBytes: number;
  readonly origin: string;
  send(queue: string, messages: readonly Outgoing[]): Promise<TaskResult[]>;
}

export function makeTask<A extends readonly unknown[], R>(record: TaskRecord, host: TaskHost): Task<A, R> {
  const send = (calls: readonly A[], options = noOptions) => {
    const { queue, messages } = outgoing(record, calls, options, host);
    return host.send(queue, messages) as Promise<TaskResult<R>[]>;
  };
  const sendOne = async (args: A, options?: CallOptions) => (await send([args], options))[0] as TaskResult<R>;
  const task = (...args: A) => runHere(record, host.locks, args) as Promise<R>;
  Object.defineProperty(task, 'name', { value: record.name });
  return Object.assign(task, {
    taskName: record.name,
    limits: record.limits,
    delay: (...args: A) => sendOne(args),
    delayMany: async (calls: Iterable<A>) => await send([...calls]),
    applyAsync: (args: A, options?: CallOptions) => sendOne(args, options),
  });
}

function runHere(record: TaskRecord, locks: Locks, args: readonly unknown[]): Promise<unknown> {
  const within = currentRun();
  return runUnder(locks, record.limits, args, async (permits) => {
    const id = randomUUID();
    const around = scope.getStore() ?? { permits, inRun: false };
    const context = new RunContext({
      id,
      name: record.name,
      attempt: 1,
      deferrals: 0,
      rootId: within?.rootId ?? id,
      permits,
      direct: { within, permits: around.permits },
    });
    try {
      return await scope.run({ ...around, task: context }, async () => await record.run(args));
    } finally {
      context.ended();
    }
  });
}

/** Throws `ConfigError` for limits that can be seen to be wrong before any call. */
export function checkLimits(locks: Locks, limits: readonly Limit[]): void {
  const names = new Set<string>();
  for (const limit of limits) {
    if (typeof limit.key !== 'string') continue;
    if (names.has(limit.key))
      throw new ConfigError(`"${limit.key}" limits one task twice: put both into one limit`);
    names.add(limit.key);
    const share = typeof limit.weight === 'number' ? shareOf(limit, []) : { key: limit.key, weight: 1 };
    if (share) checkCall(locks.settings.resources, limit, share);
  }
}
