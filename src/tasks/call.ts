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
  checkObject(options, 'options', fields);
  for (const args of calls)
    if (!Array.isArray(args)) throw ConfigError.expected('args', 'a list of arguments', args);
  const { settings } = record;
  const delay = delayOf(options, host.locks.clock.wall());
  if (kwargs !== undefined) checkObject(kwargs, 'kwargs');
  const common = commonOf(record, options, delay, host);
  const messages = calls.map((given) => {
    const args = withoutTrailingUndefined(given);
    const message: Message = {
      id: options.taskId === undefined ? randomUUID() : checkText(options.taskId, 'taskId'),
      task: record.name,
      args,
      kwargs,
      shares: record.fixed ? undefined : sharesOf(host.locks, record.limits, given),
      ...common,
    };
    checkArguments(message, host.maxMessageBytes);
    return { message, delay };
  });
  return {
    queue: options.queue === undefined ? settings.queue : checkText(options.queue, 'queue'),
    messages,
  };
}

/** What all messages of a call have in common. */
function commonOf({ settings }: Callable, options: CallOptions, delay: number, host: TaskHost) {
  const wall = host.locks.clock.wall();
  return {
    retries: 0,
    deferrals: 0,
    priority: options.priority === undefined ? settings.priority : checkPriority(options.priority),
    eta: delay > 0 ? wall + delay : undefined,
    expires: expiresOf(options.expires, settings.expires, wall),
    retry: retryOf(options.retry),
    ignoreResult: ignoresResult(options.ignoreResult, settings.ignoreResult),
    timeLimit: options.timeLimit === undefined ? undefined : timeLimits(options.timeLimit, 'timeLimit'),
    sentAt: wall,
    origin: host.origin,
    ...family(),
  };
}

/** A run's children know their parent and the first of the family. */
function family(): { parentId?: string; rootId?: string } {
  const run = currentRun();
  return run ? { parentId: run.id, rootId: run.rootId } : {};
}

function checkArguments(message: Message, maxBytes: number): void {
  const { args, kwargs = {}, task } = message;
  const atMost = checkTravels(args, `${task} arguments`) + checkTravels(kwargs, `${task} arguments by name`);
  if (atMost > maxBytes) checkSize(encode(message), maxBytes, `The call of "${message.task}"`);
}

function delayOf({ countdown, eta }: CallOptions, wall: number): number {
  if (countdown !== undefined && eta !== undefined) {
    throw new ConfigError('A call has either a `countdown` or an `eta`, and this one has both');
  }
  if (countdown !== undefined) return milliseconds(countdown, 'countdown');
  return eta === undefined ? 0 : Math.max(0, dateOf(eta, 'eta') - wall);
}

function expiresOf(
  given: CallOptions['expires'],
  ofTask: number | undefined,
  wall: number,
): number | undefined {
  if (given instanceof Date) return dateOf(given, 'expires');
  const after = given === undefined ? ofTask : milliseconds(given, 'expires');
  return after === undefined ? undefined : wall + after;
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

/** What a call says counts for its worker too, whatever the task says there. */
function ignoresResult(given: boolean | undefined, ofTask: boolean): boolean | undefined {
  return given === undefined ? ofTask || undefined : checkFlag(given, 'ignoreResult');
}

/** An optional argument that was given as `undefined` is one that was not given. */
function withoutTrailingUndefined(args: readonly unknown[]): readonly unknown[] {
  let length = args.length;
  while (length > 0 && args[length - 1] === undefined) length--;
  return length === args.length ? args : args.slice(0, length);
}
