import { ConfigError } from '../../errors.js';
import { asNew, decode, encode, type Message } from '../../message.js';
import type { Link } from '../../redis/link.js';
import type { OnReply } from '../../redis/script-call.js';
import type { Aside, Depth, Room } from '../broker.js';
import { type GivenReply, type Handed, handedEntry, handedFirst } from './handed.js';
import { entryAt, type Keys, keysOf, layout, registryKey } from './layout.js';
import { Outgoing } from './outgoing.js';
import { wholeMs } from './settlement.js';
import * as inspecting from './steps/inspecting.js';
import * as operating from './steps/operating.js';
import * as publishing from './steps/publishing.js';
import * as rooms from './steps/rooms.js';
import type { Reply, Step } from './steps/step.js';

/** For how long a revocation is remembered, in ms: the message may still be on its way, or come back. */
const remembered = 86_400_000;

/** A worker of this process, in a queue. */
export interface Neighbour {
  readonly number: string;
  /** It was not told that anything is there to fetch, and has a slot. */
  readonly isIdle: boolean;
  /** It does not count as idle any more, and this is in its hands if it is anything. */
  got(handed: Handed | undefined): void;
  /** The same may be so, and the answer was not heard. */
  missed(): void;
}

/** One queue, as publishers and operators see it, and the way for workers to take their steps in it. */
export class RedisQueue {
  readonly name: string;
  readonly keys: Keys;
  readonly link: Link;
  readonly neighbours = new Set<Neighbour>();
  readonly #registry: string;
  readonly #outgoing: Outgoing;
  #opening: Promise<void> | undefined;
  #isOpen = false;

  constructor(name: string, prefix: string, link: Link) {
    this.name = name;
    this.keys = keysOf(prefix, name);
    this.link = link;
    this.#registry = registryKey(prefix);
    this.#outgoing = new Outgoing((args) =>
      args.length === 2 && args[0] === ''
        ? this.#publishOne(args[1] as string)
        : this.step(publishing.publish, args),
    );
  }

  /** One atomic step in this queue, which is there from then on. */
  step(step: Step, args: readonly (string | number)[], onReply?: OnReply): Promise<Reply> {
    if (this.#isOpen) return this.#run(step, args, onReply);
    return this.open().then(() => this.#run(step, args, onReply));
  }

  /**
   * Makes the queue if there is none. Throws `ConfigError` when another version of this package keeps it.
   *
   * If the process dies before its name is registered, that is done by the next that publishes there, or consumes.
   */
  open(): Promise<void> {
    this.#opening ??= this.#look({ make: true })
      .then(() => this.link.run((client) => client.call('sadd', [this.#registry, this.name])))
      .then(() => {
        this.#isOpen = true;
      })
      .finally(() => {
        this.#opening = undefined;
      });
    return this.#opening;
  }

  /** Whether there is such a queue. */
  async isThere(): Promise<boolean> {
    return this.#isOpen || (await this.#look({ make: false }));
  }

  async #look({ make }: { make: boolean }): Promise<boolean> {
    const found = await this.#run(publishing.open, [layout, make ? 1 : 0]);
    if (found === null) return false;
    if (String(found) !== layout) {
      throw new ConfigError(
        `The queue "${this.name}" is kept in layout ${found}, and this version of lockkeeper knows layout ${layout}: ` +
          'let workers of that version empty it first, or use another `prefix`',
      );
    }
    return true;
  }

  #run(step: Step, args: readonly (string | number)[], onReply?: OnReply): Promise<Reply> {
    const { cluster } = this.link;
    return this.link.run((client) => step.run(client, this.keys, args, { cluster, onReply }));
  }

  publish(messages: readonly Message[], delay = 0): Promise<void> {
    // All are encoded before the first is sent: a message that cannot be must not leave half of the call behind.
    return this.#outgoing.send(messages.map((message) => [headOf(message, delay), encode(message)]));
  }

  /** Where a worker of this process is idle, it is likely to have it in its hands when it is known to be published. */
  #publishOne(text: string): Promise<unknown> {
    const near = this.#idleNeighbour();
    return near ? this.#publishNear(text, near) : this.step(publishing.publishOne, [text, '']);
  }

  /**
   * The worker begins when the answer is read, before this is told of it, where the client tells so soon. An answer that
   * nobody waited for any more is none too late for that: the worker judges that itself.
   */
  async #publishNear(text: string, near: Neighbour): Promise<void> {
    const { number } = near;
    let isTold = false;
    let read: { message?: Message } = {};
    const tell = (reply: GivenReply) => {
      isTold = true;
      if (near.number !== number) return;
      if (Array.isArray(reply)) near.got(handedFirst(reply));
      else if (reply !== null) near.got(handedEntry(entryAt(reply), text, read));
      // A cluster's client may repeat a step by itself, so that one answer of two is heard.
      else if (this.link.cluster) near.missed();
    };
    const answer = this.step(publishing.publishOne, [text, number], tell);
    // It is likely to come back: what is read now need not be read when it is waited for.
    read = messageIn(text);
    let reply: unknown;
    try {
      reply = await answer;
    } catch (error) {
      near.missed();
      throw error;
    }
    if (!isTold) tell(reply as GivenReply);
  }

  #idleNeighbour(): Neighbour | undefined {
    for (const one of this.neighbours) if (one.isIdle) return one;
    return undefined;
  }

  /** Publishes what need not be a message, as something else that writes to the same queue might. */
  inject(text: string): Promise<void> {
    return this.#outgoing.send([['', text]]);
  }

  async depth(): Promise<Depth> {
    if (!(await this.isThere())) return { ready: 0, delayed: 0, parked: 0, running: 0, apart: 0 };
    const [ready, delayed, parked, running, apart] = (await this.step(inspecting.depth, [])).map(Number);
    return { ready, delayed, parked, running, apart } as Depth;
  }

  async purge(): Promise<number> {
    let dropped = 0;
    if (!(await this.isThere())) return dropped;
    for (let step = -1; step !== 0; dropped += step) {
      step = Number(await this.step(operating.purge, []));
    }
    return dropped;
  }

  async revoke(id: string): Promise<void> {
    await this.step(operating.revoke, [id, remembered]);
  }

  /** One that comes or goes meanwhile may be missing: of what comes its workers are told, and what nobody tends is found. */
  async rooms(): Promise<Room[]> {
    const all: Room[] = [];
    for (let from = 0; ; from += rooms.part) {
      const [count, ...reply] = await this.step(rooms.list, [from]);
      all.push(...roomsIn(reply, this.name));
      if (Number(count) < rooms.part) return all;
    }
  }

  /** Of these, those that have no room here. */
  async vacant(resources: readonly string[]): Promise<readonly string[]> {
    if (resources.length === 0) return [];
    const fields = resources.map((resource) => `r${resource}`);
    const records = await this.link.run((client) => client.call('hmget', [this.keys.room, ...fields]));
    return resources.filter((_, i) => (records as (string | null)[])[i] === null);
  }

  /** Rooms that were untended, and in how many ms the next will be. */
  async orphans(): Promise<{ rooms: Room[]; next: number }> {
    const [next, ...reply] = await this.step(rooms.orphans, []);
    return { rooms: roomsIn(reply, this.name), next: Number(next) };
  }

  async attend(resources: readonly string[]): Promise<void> {
    await this.step(rooms.attend, resources);
  }

  /** Of these ids, those that are revoked. */
  async revokedAmong(ids: readonly string[]): Promise<string[]> {
    return ids.length === 0 ? [] : ((await this.step(operating.revokedAmong, ids)) as string[]);
  }

  async asides(): Promise<Aside[]> {
    const entries: Entry[] = [];
    for (let from = '-', page: Entry[] = []; ; from = `(${page.at(-1)?.[0]}`) {
      page = await this.link.run((client) =>
        client.call('xrange', [this.keys.aside, from, '+', 'COUNT', 1_000]),
      );
      entries.push(...page);
      if (page.length < 1_000) return entries.map(asideFrom);
    }
  }

  async replay(asideId: string): Promise<boolean> {
    if (!isEntryId(asideId)) return false;
    const [entry]: Entry[] = await this.link.run((client) =>
      client.call('xrange', [this.keys.aside, asideId, asideId]),
    );
    if (!entry) return false;
    const { message, text } = asideFrom(entry);
    const renewed = message && asNew(message);
    const args = renewed ? [headOf(renewed, 0), encode(renewed)] : ['', text];
    return Number(await this.step(publishing.replay, [asideId, ...args])) === 1;
  }

  async discard(asideId: string): Promise<boolean> {
    if (!isEntryId(asideId)) return false;
    return (await this.link.run((client) => client.call('xdel', [this.keys.aside, asideId]))) === 1;
  }
}

/** Rooms, as scripts describe them. */
function roomsIn(reply: Reply, queue: string): Room[] {
  const rooms: Room[] = [];
  for (let at = 0; at < reply.length; at += 4) {
    const [resource, weight, capacity, countdown] = reply.slice(at, at + 4);
    rooms.push({
      queue,
      resource: String(resource),
      weight: Number(weight),
      capacity: Number(capacity),
      countdown: Number(countdown),
    });
  }
  return rooms;
}

type Entry = [id: string, fields: [string, string, string, string]];

/** What a message needs besides its text: nothing, if it is to be delivered in its turn. */
function headOf({ id, priority }: Message, delay: number): string {
  if (!(delay > 0) && priority === 0) return '';
  return `${wholeMs(delay)} ${Math.min(9, Math.max(0, Math.floor(priority)))} ${id}`;
}

function asideFrom([id, [, reason, , text]]: Entry): Aside {
  return { id, reason, at: Number.parseInt(id, 10), text, ...messageIn(text) };
}

function messageIn(text: string): { message?: Message } {
  try {
    return { message: decode(text) };
  } catch {
    return {};
  }
}

function isEntryId(id: string): boolean {
  return /^\d{1,19}-\d{1,19}$/.test(id);
}
