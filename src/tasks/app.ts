import { hostname } from 'node:os';
import type { Broker } from '../brokers/broker.js';
import { openBroker } from '../brokers/open.js';
import { checkObject, checkText, checkWhole } from '../check.js';
import { type Clock, systemClock } from '../clock.js';
import { type Duration, milliseconds } from '../duration.js';
import { ClosedError, ConfigError } from '../errors.js';
import { Events, type Unsubscribe } from '../events.js';
import type { Coordinator } from '../locks/coordinator.js';
import type { Limit } from '../locks/limit.js';
import { Locks } from '../locks/locks.js';
import { memoryCoordinator } from '../locks/memory.js';
import { openCoordinator } from '../locks/open.js';
import { type ResourceOptions, Resources } from '../locks/resources.js';
import { openResults } from '../results/open.js';
import type { ResultStore } from '../results/result-store.js';
import type { Outgoing } from './call.js';
import { type AnyFunction, declarationOf } from './declaration.js';
import type { AppEvents } from './events.js';
import { isLockedTaskClass, type LockedTask, type LockedTaskClass, limitOf } from './locked-task.js';
import { type Handles, handlesOf } from './methods.js';
import { type TaskDefinition, type TaskOptions, taskFields, taskSettings } from './options.js';
import { belongsTo } from './registered.js';
import { TaskResult } from './result.js';
import { checkLimits, makeTask, type Task, type TaskRecord } from './task.js';

export interface AppOptions {
  /** What carries messages. Default `memory:`, in process. */
  broker?: string | Broker;
  /**
   * Who keeps limits. Default: the broker's own where that is memory; any other broker needs one named. Two apps of a
   * process that both say `memory:` share their resources.
   */
  coordinator?: string | Coordinator;
  /** Where results are kept. Default: in process, beside the broker. */
  results?: string | ResultStore;
  /** What is known of resources, by name or by a pattern with a trailing `*`. */
  resources?: Readonly<Record<string, ResourceOptions>>;
  /** The queue of tasks that name none. Default `default`. */
  queue?: string;
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

/** Whoever made a part closes it: the app closes those that it opened by name. */
type Owned = { close(): Promise<void> };

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
  readonly #owned: Owned[] = [];
  readonly #sending = new Set<Promise<unknown>>();
  readonly #users = new Set<() => Promise<void>>();
  #closed: Promise<void> | undefined;

  /** @internal Use `createApp`. */
  constructor(options: AppOptions) {
    this.clock = options.clock ?? systemClock;
    this.#queue = checkText(options.queue ?? 'default', 'queue');
    this.resultsFor = milliseconds(options.resultsFor ?? 86_400_000, 'resultsFor');
    this.maxMessageBytes = checkWhole(options.maxMessageBytes ?? 1_048_576, 'maxMessageBytes', 1_024);
    const broker = options.broker ?? 'memory:';
    this.broker = typeof broker === 'string' ? this.#own(openBroker(broker, this.clock), broker) : broker;
    const results = options.results ?? (typeof broker === 'string' && broker.startsWith('memory') ? broker : 'memory:');
    this.results = typeof results === 'string' ? this.#own(openResults(results, this.clock), results) : results;
    this.locks = new Locks({
      resources: new Resources(options.resources ?? {}, this.#coordinator(options)),
      clock: this.clock,
      events: this.#events as never,
      callTimeout: milliseconds(options.callTimeout ?? 2_000, 'callTimeout'),
      abortGrace: milliseconds(options.abortGrace ?? 5_000, 'abortGrace'),
    });
  }

  /** Makes a function a task. Its name is what messages carry, so workers and callers must agree on it. */
  task<A extends unknown[], R>(name: string, fn: (...args: A) => R): Task<A, Awaited<R>>;
  task<A extends unknown[], R>(name: string, limit: Limit<NoInfer<A>>, fn: (...args: A) => R): Task<A, Awaited<R>>;
  task<A extends unknown[], R>(
    name: string,
    definition: TaskDefinition<NoInfer<A>>,
    fn: (...args: A) => R,
  ): Task<A, Awaited<R>>;
  task(name: string, ...rest: [unknown, unknown?]): unknown {
    const [given, fn] = rest.length === 1 ? [{}, rest[0]] : rest;
    checkText(name, 'name');
    if (typeof fn !== 'function') throw ConfigError.expected(`the function of task "${name}"`, 'a function', fn);
    const { limits = [], ...options } = definitionOf(given, name);
    const { limits: wrapped, body } = declarationOf(fn as AnyFunction);
    return this.#add(name, options, [...limits, ...wrapped], (args) => body(...args));
  }

  /** Makes tasks of the decorated methods of an object, or of a `LockedTask` class. */
  register<C extends LockedTaskClass<LockedTask>>(
    taskClass: C,
  ): Task<Parameters<InstanceType<C>['lockedRun']>, Awaited<ReturnType<InstanceType<C>['lockedRun']>>>;
  register<T extends object>(instance: T): Handles<T>;
  register(what: unknown): unknown {
    if (isLockedTaskClass(what)) return this.#registerClass(what);
    if (typeof what !== 'object' || what === null) {
      throw ConfigError.expected('what to register', 'an object with @task() methods, or a class that extends LockedTask', what);
    }
    belongsTo(what, this.locks);
    return handlesOf(what, (name, { limits, body, task }) => {
      const { name: _, ...options } = task ?? {};
      return this.#add(name, options, limits, (args) => body.apply(what, [...args]));
    });
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
    return new TaskResult<R>(id, this.#resultSource);
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
  send(queue: string, outgoing: readonly Outgoing[]): Promise<TaskResult[]> {
    const sending = this.#send(queue, outgoing);
    this.#sending.add(sending);
    const done = () => this.#sending.delete(sending);
    sending.then(done, done);
    return sending;
  }

  async #send(queue: string, outgoing: readonly Outgoing[]): Promise<TaskResult[]> {
    if (this.#closed) throw new ClosedError('The app');
    if (outgoing.length === 0) return [];
    const messages = outgoing.map(({ message }) => message);
    await this.broker.publish(messages, { queue, delay: outgoing[0]?.delay });
    return messages.map(({ id }) => this.result(id));
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#sending);
    await Promise.all([...this.#users].map((close) => close()));
    await this.locks.close();
    await Promise.all(this.#owned.map((part) => part.close()));
  }

  #add(
    name: string,
    options: TaskOptions,
    limits: readonly Limit[],
    run: TaskRecord['run'],
  ): Task<readonly unknown[], unknown> {
    if (this.tasks.has(name)) throw new ConfigError(`The app has a task "${name}" already: names must be unique`);
    const settings = taskSettings(options, name, this.#queue);
    checkLimits(this.locks, limits);
    const record: TaskRecord = { name, limits, settings, run };
    this.tasks.set(name, record);
    return makeTask(record, this);
  }

  #registerClass(taskClass: LockedTaskClass): unknown {
    const name = taskClass.taskName ?? taskClass.name;
    const limit = limitOf(new taskClass(), name);
    return this.#add(name, taskClass.options ?? {}, [limit], (args) => new taskClass().lockedRun(...args));
  }

  /** A coordinator is not closed with the app: others of the process may share it. */
  #coordinator({ coordinator, clock }: AppOptions): Coordinator {
    if (typeof coordinator === 'string') return openCoordinator(coordinator);
    if (coordinator) return coordinator;
    if (this.broker.kind !== 'memory') {
      throw new ConfigError(`An app on the ${this.broker.kind} broker needs a \`coordinator\`: name one`);
    }
    return clock ? memoryCoordinator({ clock }) : openCoordinator('memory:');
  }

  #own<T extends Owned>(part: T, url: string): T {
    if (url === 'memory' || url === 'memory:') this.#owned.push(part);
    return part;
  }

  get #resultSource() {
    return { clock: this.clock, results: this.results, revoke: (id: string) => this.broker.revoke(id) };
  }
}

// biome-ignore lint/suspicious/noExplicitAny: the overloads of `task` have checked the limits against the arguments
function definitionOf(given: unknown, name: string): TaskDefinition<any> {
  if (isLimit(given)) return { limits: [given] };
  const { limits, ...options } = checkObject(given, `the options of task "${name}"`, ['limits', ...taskFields]);
  if (limits === undefined) return options;
  if (!Array.isArray(limits) || !limits.every(isLimit)) {
    throw ConfigError.expected(`limits of task "${name}"`, 'a list of limits, made by locked() and limited()', limits);
  }
  return { ...options, limits };
}

function isLimit(value: unknown): value is Limit {
  const kind = (value as Limit | undefined)?.kind;
  return kind === 'permits' || kind === 'rate';
}
