import { checkObject } from '../check.js';
import { type CallOptions, outgoing } from './call.js';
import { type TaskOptions, taskSettings } from './options.js';
import type { TaskResult } from './result.js';
import type { TaskHost } from './task.js';

/** What holds for all calls of a task that others run. */
export type RemoteOptions = Pick<
  TaskOptions,
  'queue' | 'priority' | 'expires' | 'timeLimit' | 'ignoreResult'
>;

/** Options of one call of a task that others run. */
export interface RemoteCallOptions extends CallOptions {
  /** Arguments by name, beside those by their places. */
  kwargs?: Readonly<Record<string, unknown>>;
}

/** A task that is known here by its name only, to call. */
export interface RemoteTask<A extends readonly unknown[], R> {
  readonly taskName: string;
  /** Has one of its workers run it. Resolves when the broker has the message. */
  delay(...args: A): Promise<TaskResult<R>>;
  /** Many at once, in this order. */
  delayMany(calls: Iterable<A>): Promise<TaskResult<R>[]>;
  /** As `delay`, with options for this call. Where `kwargs` are given, arguments may be left out. */
  applyAsync(args: A | readonly [], options?: RemoteCallOptions): Promise<TaskResult<R>>;
}

const fields = ['queue', 'priority', 'expires', 'timeLimit', 'ignoreResult'];

export function makeRemote<A extends readonly unknown[], R>(
  name: string,
  options: RemoteOptions,
  defaultQueue: string,
  host: TaskHost,
): RemoteTask<A, R> {
  checkObject(options, `the options of task "${name}"`, fields);
  const record = { name, limits: [], fixed: [], settings: taskSettings(options, name, defaultQueue) };
  const { soft, hard } = record.settings;
  const timeLimit = soft === undefined && hard === undefined ? undefined : { soft, hard };
  const send = (calls: readonly (readonly unknown[])[], { kwargs, ...given }: RemoteCallOptions = {}) => {
    const { queue, messages } = outgoing(record, calls, { timeLimit, ...given }, host, kwargs);
    return host.send(queue, messages) as Promise<TaskResult<R>[]>;
  };
  const sendOne = async (args: readonly unknown[], of?: RemoteCallOptions) =>
    (await send([args], of))[0] as TaskResult<R>;
  return {
    taskName: name,
    delay: (...args) => sendOne(args),
    delayMany: async (calls) => await send([...calls]),
    applyAsync: async (args, of) => await sendOne(args, of),
  };
}
