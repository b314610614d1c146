import type { Broker, RoomState } from '../../brokers/broker.js';
import { CoordinatorUnavailableError } from '../../errors.js';
import type { ResourceState } from '../../locks/coordinator.js';
import type { Limit } from '../../locks/limit.js';
import type { Locks } from '../../locks/locks.js';
import type { Rate } from '../../locks/rate.js';
import type { TaskRecord } from '../task.js';

/** A resource as it is now, over all workers. */
export interface ResourceReport extends ResourceState {
  /** Who keeps it: `memory`, `redis`, … */
  readonly coordinator: string;
  /** What this app declares: permits, or starts of a rate. */
  readonly declared: { readonly capacity: number } | { readonly rate: Rate };
  /** Permits that are held. */
  readonly used: number;
  /** Its rooms that are not empty, the longest wait first. None where the broker cannot tell. */
  readonly rooms: readonly RoomState[];
  /** Why its coordinator could not be asked. What is not known is empty then. */
  readonly unavailable?: string;
}

/** More resources than this are not asked for unless they are named: those with the most messages parked come first. */
const mostAsked = 200;

/** As many questions are out at once. */
const atOnce = 16;

/** Resources with what their coordinators and the broker know of them. */
export class ResourceReports {
  readonly #locks: Locks;
  readonly #broker: Broker;
  readonly #limits: ReadonlyMap<string, Limit>;

  constructor(locks: Locks, broker: Broker, tasks: Iterable<TaskRecord>) {
    this.#locks = locks;
    this.#broker = broker;
    this.#limits = limitsByName(tasks);
  }

  /**
   * Of these names; else of all that have a name of their own in the app, and those that anything is parked for. A name
   * that only a pattern or a key function gives is not known unless something waits for it.
   */
  async all(names: readonly string[] | undefined, queues: readonly string[]): Promise<ResourceReport[]> {
    const rooms = await this.#rooms(queues);
    const wanted = names ?? this.#known(rooms);
    return await inTurns(wanted, (name) => this.#of(name, rooms.get(name) ?? []));
  }

  /** Names that stand in the app come first, whatever waits for them. */
  #known(rooms: ReadonlyMap<string, readonly RoomState[]>): string[] {
    const declared = this.#locks.settings.resources.names.filter((name) => !name.endsWith('*'));
    const own = new Set([...declared, ...this.#limits.keys()]);
    const others = [...rooms.keys()].filter((name) => !own.has(name));
    const parked = (name: string) => (rooms.get(name) ?? []).reduce((sum, room) => sum + room.parked, 0);
    others.sort((a, b) => parked(b) - parked(a));
    return [...[...own].sort(), ...others].slice(0, mostAsked);
  }

  async #rooms(queues: readonly string[]): Promise<Map<string, RoomState[]>> {
    const all = new Map<string, RoomState[]>();
    if (!this.#broker.features.inspection) return all;
    for (const found of await Promise.all(queues.map((queue) => this.#broker.rooms(queue)))) {
      for (const room of found) all.set(room.resource, [...(all.get(room.resource) ?? []), room]);
    }
    for (const rooms of all.values()) rooms.sort((a, b) => a.since - b.since);
    return all;
  }

  async #of(name: string, rooms: readonly RoomState[]): Promise<ResourceReport> {
    const { resources } = this.#locks.settings;
    const resource = resources.resolve(name);
    const limit = this.#limits.get(name);
    const rate = limit?.rate ?? resource.rate;
    const capacity = limit?.capacity ?? resource.capacity ?? 1;
    const about = {
      coordinator: resource.coordinator.kind,
      declared: rate ? { rate } : { capacity },
      rooms,
    };
    try {
      const state = await this.#locks.inspect(name);
      return { ...state, ...about, used: state.holders.reduce((sum, { weight }) => sum + weight, 0) };
    } catch (error) {
      if (!(error instanceof CoordinatorUnavailableError)) throw error;
      return { resource: name, holders: [], waiting: [], ...about, used: 0, unavailable: error.message };
    }
  }
}

function limitsByName(tasks: Iterable<TaskRecord>): Map<string, Limit> {
  const named = new Map<string, Limit>();
  for (const { limits } of tasks) {
    for (const limit of limits) if (typeof limit.key === 'string') named.set(limit.key, limit);
  }
  return named;
}

async function inTurns<T, R>(all: readonly T[], ask: (one: T) => Promise<R>): Promise<R[]> {
  const answers: R[] = [];
  for (let at = 0; at < all.length; at += atOnce) {
    answers.push(...(await Promise.all(all.slice(at, at + atOnce).map(ask))));
  }
  return answers;
}
