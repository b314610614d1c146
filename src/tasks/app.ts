import { hostname } from 'node:os';
import type { Broker, QueueOptions } from '../brokers/broker.js';
import { checkObject, checkText, checkWhole } from '../check.js';
import { type Clock, systemClock } from '../clock.js';
import { type Duration, milliseconds } from '../duration.js';
import { ConfigError } from '../errors.js';
import { Events, type Unsubscribe } from '../events.js';
import type { Coordinator } from '../locks/coordinator.js';
import { fixedShares, type Limit } from '../locks/limit.js';
import { Locks } from '../locks/locks.js';
import { type ResourceOptions, Resources } from '../locks/resources.js';
import type { ResultStore } from '../results/result-store.js';
import type { Outgoing } from './call.js';
import { type AnyFunction, declarationOf, isClass } from './declaration.js';
import type { AppEvents } from './events.js';
import {
  type Fitting,
  isLockedTaskClass,
  type LockedTask,
  type LockedTaskClass,
  limitOf,
} from './locked-task.js';
import { type Handles, handlesOf } from './methods.js';
import { Operator } from './operator.js';
import { definitionOf, isLimit, type TaskDefinition, type TaskOptions, taskSettings } from './options.js';
import { Outbox } from './outbox.js';
import { openParts, type Parts } from './parts.js';
import { declareQueues } from './queues.js';
import { belongsTo } from './registered.js';
import { makeRemote, type RemoteOptions, type RemoteTask } from './remote.js';
import { type ResultSource, TaskResult } from './result.js';
import { type Route, type Routes, routesOf } from './routes.js';
import { checkLimits, makeTask, type Task, type TaskRecord } from './task.js';

export interface AppOptions {
  /** What carries messages. Default `memory:`, in process. */
  broker?: string | Broker | undefined;
  /**
   * Who keeps limits. Default: the broker's own where that is memory or Redis; any other broker needs one named. Two apps
   * of a process that both say `memory:` share their resources.
   */
  coordinator?: string | Coordinator | undefined;
  /** Where results are kept. Default: beside the broker, where that is memory or Redis; else in process. */
  results?: string | ResultStore | undefined;
  /** What is known of resources, by name or by a pattern with a trailing `*`. */
  resources?: Readonly<Record<string, ResourceOptions>>;
  /** The queue of tasks that name none. Default `default`. */
  queue?: string;
  /**
   * Queues by the names of tasks, or by patterns with a trailing `*`: `{ 'mail.*': 'mail' }`. Exact names come first, then
   * the longest pattern. A route counts more than the `queue` of a task and less than the `queue` of a call.
   */
  routes?: Routes;
  /** What is special about queues, by their names: which are shared with Celery. Default: nothing. */
  queues?: Readonly<Record<string, QueueOptions>>;
  /** How long results are kept. Default 1 day. */
  resultsFor?: Duration;
  /** The largest message, in bytes of its JSON. Default 1 MiB. */
  maxMessageBytes?: number;
  /** The deadline of a call to the coordinator. Default 2 s. */
  callTimeout?: Duration;
  /** How long a body may go on after it was told to stop. Default 5 s. */
  abortGrace?: Duration;
  clock?: Clock;
}

const fields = [
  'broker',
  'coordinator',
  'results',
  'resources',
  'queue',
  'routes',
  'queues',
  'resultsFor',
  'maxMessageBytes',
  'callTimeout',
  'abortGrace',
  'clock',
];

/** Settings, tasks, one broker, one coordinator and one result store. Throws `ConfigError` for what cannot be. */
export function createApp(options: AppOptions = {}): App {
  checkObject(options, 'options', fields);
  return new App(options);
}

export class App {
  readonly clock: Clock;
  /** Limits without the runner, with this app's resources. */
  readonly locks: Locks;
  readonly broker: Broker;
  readonly results: ResultStore;
  /** @internal */
  readonly tasks = new Map<string, TaskRecord>();
  /** @internal */
  readonly resultsFor: number;
  /** @internal */
  readonly maxMessageBytes: number;
  /** @internal */
  readonly origin = `${process.pid}@${hostname()}`;
  readonly #events = new Events<AppEvents>();
  readonly #queue: string;
  readonly #route: Route;
  readonly #parts: Parts;
  readonly #outbox: Outbox;
  readonly #users = new Set<() => Promise<void>>();
  /** Those who wait for results. */
  readonly #waiting = new Set<() => void>();
  #over = false;
  #closed: Promise<void> | undefined;

  /** @internal Use `createApp`. */
  constructor(options: AppOptions) {
    this.clock = options.clock ?? systemClock;
    this.#queue = checkText(options.queue ?? 'default', 'queue');
    this.#route = routesOf(options.routes);
    this.resultsFor = milliseconds(options.resultsFor ?? 86_400_000, 'resultsFor');
    this.maxMessageBytes = checkWhole(options.maxMessageBytes ?? 1_048_576, 'maxMessageBytes', 1_024);
    this.#parts = openParts(options, this.clock);
    this.broker = this.#parts.broker;
    this.results = this.#parts.results;
    declareQueues(this.broker, options.queues ?? {});
    this.#outbox = new Outbox(this.broker, this.results);
    this.locks = new Locks({
      opened: this.#parts.coordinator,
      resources: new Resources(options.resources ?? {}, this.#parts.coordinator.coordinator),
      clock: this.clock,
      events: this.#events as never,
      callTimeout: milliseconds(options.callTimeout ?? 2_000, 'callTimeout'),
      abortGrace: milliseconds(options.abortGrace ?? 5_000, 'abortGrace'),
    });
  }

  /** Makes a function a task. Its name is what messages carry, so workers and callers must agree on it. */
  task<A extends unknown[], R>(name: string, fn: (...args: A) => R): Task<A, Awaited<R>>;
  task<A extends unknown[], R>(
    name: string,
    limitOrOptions: NoInfer<Limit<A> | TaskDefinition<A>>,
    fn: (...args: A) => R,
  ): Task<A, Awaited<R>>;
  task(name: string, ...rest: [unknown, unknown?]): unknown {
    const [given, fn] = rest.length === 1 ? [{}, rest[0]] : rest;
    checkText(name, 'name');
    if (typeof fn !== 'function' || isClass(fn) || isLimit(fn)) {
      throw ConfigError.expected(`the function of task "${name}"`, 'a function', fn);
    }
    const { limits = [], ...options } = definitionOf(given, name);
    const { limits: wrapped, body } = declarationOf(fn as AnyFunction);
    return this.#add(name, options, [...limits, ...wrapped], (args) => body(...args));
  }

  /** Makes tasks of the decorated methods of an object, or of a `LockedTask` class. */
  register<T extends object>(instance: T & NoFunction<T>): Handles<T>;
  register<T extends LockedTask>(
    taskClass: LockedTaskClass<T> & Fitting<T>,
  ): Task<Parameters<T['lockedRun']>, Awaited<ReturnType<T['lockedRun']>>>;
  register(what: unknown): unknown {
    if (isLockedTaskClass(what)) return this.#registerClass(what);
    if (typeof what !== 'object' || what === null) {
      throw ConfigError.expected(
        'what to register',
        'an object with @task() methods, or a class that extends LockedTask',
        what,
      );
    }
    const handles = handlesOf(what, (name, { limits, body, task }) => {
      const { name: _, ...options } = task ?? {};
      return this.#add(name, options, limits, (args) => body.apply(what, [...args]));
    });
    belongsTo(what, this.locks);
    return handles;
  }

  /**
   * A task that others run, such as workers of Celery, to call it by its name.
   *
   *     const add = app.remote<[a: number, b: number], number>('tasks.add', { queue: 'celery' });
   *     const sum = await (await add.delay(2, 3)).get();
   */
  remote<A extends readonly unknown[] = unknown[], R = unknown>(
    name: string,
    options: RemoteOptions = {},
  ): RemoteTask<A, R> {
    const queue = this.#route(checkText(name, 'name')) ?? options.queue;
    return makeRemote(name, { ...options, queue }, this.#queue, this);
  }

  /** Hears of what happens to tasks and permits in this process. */
  on<K extends keyof AppEvents>(name: K, listener: (event: AppEvents[K]) => unknown): Unsubscribe {
    return this.#events.on(name, listener);
  }

  get events(): Events<AppEvents> {
    return this.#events;
  }

  /** The call with this id, made here or elsewhere. */
  result<R = unknown>(id: string): TaskResult<R> {
    return new TaskResult<R>(checkText(id, 'id'), this.#resultSource);
  }

  /** What people ask of a running system: why a call waits, who holds what, what was set aside. */
  get operator(): Operator {
    const { locks, broker, results, resultsFor, tasks, queues } = this;
    return new Operator({ locks, broker, results, resultsFor, tasks, queues });
  }

  /** Sends what is on its way, stops this app's workers, gives back what is held, and closes what it opened. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /** The queues that its tasks name, and its own. */
  get queues(): readonly string[] {
    return [...new Set([this.#queue, ...[...this.tasks.values()].map(({ settings }) => settings.queue)])];
  }

  /** @internal Is closed with the app. */
  use(close: () => Promise<void>): Unsubscribe {
    this.#users.add(close);
    return () => this.#users.delete(close);
  }

  /** @internal */
  async send(queue: string, outgoing: readonly Outgoing[]): Promise<TaskResult[]> {
    await this.#outbox.send(queue, outgoing);
    return outgoing.map(({ message }) => this.result(message.id));
  }

  async #close(): Promise<void> {
    await this.#outbox.closeToCallers();
    await Promise.all([...this.#users].map((close) => close()));
    await this.#outbox.close();
    await this.locks.close();
    this.#over = true;
    for (const tell of this.#waiting) tell();
    await this.#parts.close();
  }

  #add(
    name: string,
    options: TaskOptions,
    limits: readonly Limit[],
    run: TaskRecord['run'],
  ): Task<readonly unknown[], unknown> {
    if (this.tasks.has(name))
      throw new ConfigError(`The app has a task "${name}" already: names must be unique`);
    const queue = this.#route(name) ?? options.queue;
    const settings = taskSettings({ ...options, queue }, name, this.#queue);
    checkLimits(this.locks, limits);
    const record: TaskRecord = { name, limits, fixed: fixedShares(limits), settings, run };
    this.tasks.set(name, record);
    return makeTask(record, this);
  }

  #registerClass(taskClass: LockedTaskClass): unknown {
    const name = checkText(taskClass.taskName ?? taskClass.name, 'taskName');
    const limit = limitOf(new taskClass(), name);
    return this.#add(name, taskClass.options ?? {}, [limit], (args) => new taskClass().lockedRun(...args));
  }

  get #resultSource(): ResultSource {
    return {
      clock: this.clock,
      results: this.results,
      revoke: (id) => this.broker.revoke(id),
      onClosed: (listener) => this.#onClosed(listener),
    };
  }

  #onClosed(listener: () => void): Unsubscribe {
    if (this.#over) listener();
    this.#waiting.add(listener);
    return () => this.#waiting.delete(listener);
  }
}

/** A class goes to `register` as an instance, unless it is a `LockedTask`. */
type NoFunction<T> = T extends (abstract new (...args: never) => unknown) | ((...args: never) => unknown)
  ? never
  : unknown;
