import type { Aside, Broker, Depth, RoomState } from '../brokers/broker.js';
import { checkObject, checkText } from '../check.js';
import { type Duration, milliseconds } from '../duration.js';
import { ConfigError } from '../errors.js';
import type { Locks } from '../locks/locks.js';
import type { ResultStore } from '../results/result-store.js';
import { type ResourceReport, ResourceReports } from './operator/resources.js';
import { type Why, why } from './operator/why.js';
import type { TaskRecord } from './task.js';

export interface OperatorHost {
  readonly locks: Locks;
  readonly broker: Broker;
  readonly results: ResultStore;
  /** Milliseconds. */
  readonly resultsFor: number;
  readonly tasks: ReadonlyMap<string, TaskRecord>;
  /** Those that the app's tasks name. */
  readonly queues: readonly string[];
}

/** Which queues to look at. Default: all that the app's tasks name, and the app's own. */
export interface QueuesOption {
  queues?: readonly string[];
}

/** How many messages of a queue are where, over all workers. */
export interface QueueReport extends Depth {
  readonly queue: string;
  /** Its rooms that are not empty. None where the broker cannot tell. */
  readonly rooms: readonly RoomState[];
}

/** A message that was set aside. */
export interface AsideReport extends Aside {
  readonly queue: string;
}

/**
 * What people ask of a running system, and do to what was set aside: `app.operator`. What they do to resources is
 * `app.locks`: `setCapacity`, `pause`, `resume`, `evict`.
 *
 * Everything here is asked of the broker, the coordinators and the result store, never of workers, so it is answered
 * however busy they are, and by whatever process has the app.
 */
export class Operator {
  readonly #host: OperatorHost;
  readonly #reports: ResourceReports;

  /** @internal Use `app.operator`. */
  constructor(host: OperatorHost) {
    this.#host = host;
    this.#reports = new ResourceReports(host.locks, host.broker, host.tasks.values());
  }

  /**
   * Where the call with this id is, what it waits for, and who holds that. `watch` is how long to look on for an
   * estimate. Default: 0, no estimate of what waits for its turn.
   */
  async why(id: string, options: QueuesOption & { watch?: Duration } = {}): Promise<Why> {
    checkText(id, 'id');
    checkObject(options, 'options', ['queues', 'watch']);
    const watch = milliseconds(options.watch ?? 0, 'watch');
    const { locks, broker, results, tasks } = this.#host;
    const host = { clock: locks.clock, broker, results, tasks, reports: this.#reports };
    return await why(host, id, this.#queues(options), watch);
  }

  /**
   * Resources with their holders, lines and rooms. Default: all that have a name of their own in the app, and those that
   * something is parked for. A resource whose coordinator does not answer says so.
   */
  async resources(names?: readonly string[], options: QueuesOption = {}): Promise<ResourceReport[]> {
    checkObject(options, 'options', ['queues']);
    return await this.#reports.all(names && checkTexts(names, 'names'), this.#queues(options));
  }

  /** How many messages are where. */
  async queues(options: QueuesOption = {}): Promise<QueueReport[]> {
    checkObject(options, 'options', ['queues']);
    const { broker } = this.#host;
    const { inspection } = broker.features;
    return await Promise.all(
      this.#queues(options).map(async (queue) => ({
        queue,
        ...(await broker.depth(queue)),
        rooms: inspection ? await broker.rooms(queue) : [],
      })),
    );
  }

  /** What was set aside, oldest first. */
  async asides(options: QueuesOption = {}): Promise<AsideReport[]> {
    checkObject(options, 'options', ['queues']);
    const ofQueues = this.#queues(options).map(async (queue) =>
      (await this.#host.broker.aside(queue)).map((aside) => ({ ...aside, queue })),
    );
    return (await Promise.all(ofQueues)).flat().sort((a, b) => a.at - b.at);
  }

  /**
   * Puts what was set aside back into its queue, as new. False when it is not there any more.
   *
   * What its caller is told is changed first: else one who waits would still be told that it was set aside, or a result
   * that is there already would be taken for the old one. If the process dies in between, it is still apart, and its caller
   * waits. A final state, of another message with this id, stays.
   */
  async retry({ queue, id, message }: AsideReport): Promise<boolean> {
    const { broker, results, resultsFor, locks } = this.#host;
    const stored = message && (await results.get(message.id));
    if (message && stored?.state === 'aside') {
      await results.put(message.id, { state: 'deferred', at: locks.clock.wall() }, resultsFor, message.reply);
    }
    return await broker.replay(queue, id);
  }

  /** Forgets what was set aside. False when it is not there any more. */
  async drop({ queue, id }: Pick<AsideReport, 'queue' | 'id'>): Promise<boolean> {
    return await this.#host.broker.discard(queue, id);
  }

  #queues({ queues }: QueuesOption): readonly string[] {
    return queues ? [...new Set(checkTexts(queues, 'queues'))] : this.#host.queues;
  }
}

function checkTexts(values: readonly string[], name: string): readonly string[] {
  if (!Array.isArray(values) || values.length === 0) {
    throw ConfigError.expected(name, 'a list of at least one name', values);
  }
  return values.map((value) => checkText(value, name));
}
