import { randomUUID } from 'node:crypto';
import { checkFlag, checkObject, checkText, checkWhole } from '../check.js';
import { type Duration, milliseconds } from '../duration.js';
import { ConfigError } from '../errors.js';
import { sharesOf } from '../locks/limits.js';
import {
  checkPriority,
  checkSize,
  checkTravels,
  encode,
  type Message,
  type MessageRetry,
} from '../message.js';
import { currentRun } from './context.js';
import { type TimeLimit, timeLimits } from './options.js';
import type { TaskHost, TaskRecord } from './task.js';

/** Options of one call. */
export interface CallOptions {
  /** Start no sooner than this from now. Not together with `eta`. */
  countdown?: Duration;
  /** Start no sooner than then. */
  eta?: Date;
  /** Too late to start after this from now, or after then. Default: the task's. */
  expires?: Duration | Date;
  /** 0 to 9, higher first. Default: the task's. */
  priority?: number;
  /** Default: the task's. */
  queue?: string;
  /** The id of the call, by which its result is found. Default: a random UUID. */
  taskId?: string;
  /** Other numbers than the task's policy has. A plain number is `max`. */
  retry?: number | { max?: number; delay?: Duration };
  /** Keep no result. Default: the task's. */
  ignoreResult?: boolean;
  /** How long a run may take. Default: the task's. */
  timeLimit?: TimeLimit;
}

const fields = [
  'countdown',
  'eta',
  'expires',
  'priority',
  'queue',
  'taskId',
  'retry',
  'ignoreResult',
  'timeLimit',
];

/** Of a call that says nothing of its own: there is nothing to check. */
export const noOptions: CallOptions = {};

/** What a call needs to know of its task. */
export type Callable = Omit<TaskRecord, 'run'>;

/** A message, and how long it is to wait first. */
export interface Outgoing {
  readonly message: Message;
  /** Milliseconds. */
  readonly delay: number;
}

/** Checks calls of a task and makes the messages for them. Throws before anything is sent. */
export function outgoing(
  record: Callable,
  calls: readonly (readonly unknown[])[],
  options: CallOptions,
  host: TaskHost,
  kwargs?: Readonly<Record<string, unknown>>,
): { queue: string; messages: Outgoing[] } {
  const { settings } = record;
  const wall = host.locks.clock.wall();
  const said = options === noOptions ? nothing : whatIsSaid(options, wall);
  if (kwargs !== undefined) checkObject(kwargs, 'kwargs');
  const { delay } = said;
  const run = currentRun();
  // A run's children know their parent and the first of the family.
  const family = run && { parentId: run.id, rootId: run.rootId };
  const messages = calls.map((given) => {
    if (!Array.isArray(given)) throw ConfigError.expected('args', 'a list of arguments', given);
    // All in one: to put it together of parts takes longer than the rest of a call.
    const message: Message = {
      id: said.taskId ?? randomUUID(),
      task: record.name,
      args: withoutTrailingUndefined(given),
      kwargs,
      shares: record.fixed ? undefined : sharesOf(host.locks, record.limits, given),
      retries: 0,
      deferrals: 0,
      priority: said.priority ?? settings.priority,
      eta: delay > 0 ? wall + delay : undefined,
      expires: said.expires ?? (settings.expires === undefined ? undefined : wall + settings.expires),
      retry: said.retry,
      // It counts for the worker too, whatever the task says there.
      ignoreResult: said.ignoreResult ?? (settings.ignoreResult || undefined),
      timeLimit: said.timeLimit,
      sentAt: wall,
      origin: host.origin,
      ...family,
    };
    checkArguments(message, host.maxMessageBytes);
    return { message, delay };
  });
  return { queue: said.queue ?? settings.queue, messages };
}

/** What a call says in its options, checked. */
interface Said
  extends Partial<Pick<Message, 'priority' | 'expires' | 'retry' | 'ignoreResult' | 'timeLimit'>> {
  /** Milliseconds. */
  readonly delay: number;
  readonly taskId?: string | undefined;
  readonly queue?: string | undefined;
}

const nothing: Said = { delay: 0 };

function whatIsSaid(options: CallOptions, wall: number): Said {
  checkObject(options, 'options', fields);
  const { taskId, queue, priority, retry, ignoreResult, timeLimit } = options;
  return {
    delay: delayOf(options, wall),
    taskId: taskId === undefined ? undefined : checkText(taskId, 'taskId'),
    queue: queue === undefined ? undefined : checkText(queue, 'queue'),
    priority: priority === undefined ? undefined : checkPriority(priority),
    expires: expiresOf(options.expires, wall),
    retry: retryOf(retry),
    ignoreResult: ignoreResult === undefined ? undefined : checkFlag(ignoreResult, 'ignoreResult'),
    timeLimit: timeLimit === undefined ? undefined : timeLimits(timeLimit, 'timeLimit'),
  };
}

function checkArguments(message: Message, maxBytes: number): void {
  const { args, kwargs, task } = message;
  let atMost = checkTravels(args, `${task} arguments`);
  if (kwargs) atMost += checkTravels(kwargs, `${task} arguments by name`);
  if (atMost > maxBytes) checkSize(encode(message), maxBytes, `The call of "${message.task}"`);
}

function delayOf({ countdown, eta }: CallOptions, wall: number): number {
  if (countdown !== undefined && eta !== undefined) {
    throw new ConfigError('A call has either a `countdown` or an `eta`, and this one has both');
  }
  if (countdown !== undefined) return milliseconds(countdown, 'countdown');
  return eta === undefined ? 0 : Math.max(0, dateOf(eta, 'eta') - wall);
}

function expiresOf(given: CallOptions['expires'], wall: number): number | undefined {
  if (given instanceof Date) return dateOf(given, 'expires');
  return given === undefined ? undefined : wall + milliseconds(given, 'expires');
}

function dateOf(value: unknown, name: string): number {
  if (value instanceof Date && Number.isFinite(value.getTime())) return value.getTime();
  throw ConfigError.expected(name, 'a valid Date', value);
}

function retryOf(given: CallOptions['retry']): MessageRetry | undefined {
  if (given === undefined) return undefined;
  const { max, delay } = checkObject(typeof given === 'number' ? { max: given } : given, 'retry', [
    'max',
    'delay',
  ]);
  return {
    max: max === undefined ? undefined : checkWhole(max, 'retry.max', 0),
    delay: delay === undefined ? undefined : milliseconds(delay, 'retry.delay'),
  };
}

/** An optional argument that was given as `undefined` is one that was not given. */
function withoutTrailingUndefined(args: readonly unknown[]): readonly unknown[] {
  let length = args.length;
  while (length > 0 && args[length - 1] === undefined) length--;
  return length === args.length ? args : args.slice(0, length);
}
