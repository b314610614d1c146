import type { Claim } from '../coordinator.js';
import type { Comparison, KeyRange, KeyValue, TransactionAnswer, WatchEvent } from './client.js';
import { decode, type Entry } from './entry.js';
import type { ResourceKeys } from './keys.js';
import { noSettings, readSettings, type Settings, withoutSetting, withSetting } from './settings.js';

/** A key, and the revision it came at: another key of the same name, before or after it, has another one. */
export interface KeyUse {
  readonly key: string;
  readonly created: number;
}

/** A key in a resource's line, at the place that its revision says: a permit or a place. */
export interface Contender extends KeyUse {
  readonly modified: number;
  /** The lease it is tied to. */
  readonly lease: string;
  /** Absent when another program made it. */
  readonly entry: Entry | undefined;
}

/** A contender among the others. */
export interface Standing {
  readonly contender: Contender;
  /** Whether it holds a permit; else it has a place. */
  readonly held: boolean;
  /** Places ahead. */
  readonly ahead: number;
}

/** `retryAfter` when nothing is known that will end by itself, in milliseconds. */
const someTime = 1_000;

/**
 * Who stands in a resource's line, and under which settings, as of some revision.
 *
 * The invariant: a contender holds a permit if its weight and those of all that came before are within the capacity. Keys
 * join at the end only, so what came before can but become less, and a permit stays one until its key is deleted. Nobody
 * writes that it is granted: everyone can tell.
 *
 * Only when an operator lowers the capacity does that show too few. So permits say `held` of themselves when they are
 * written again, and those that were had at once say it from the beginning.
 *
 * A key of another program holds, or waits, for all there is: whoever uses Go's mutex means to be alone.
 */
export class Sight {
  /** All that happened up to this revision is seen. */
  lineAt: number;
  /** The same of the settings. */
  settingsAt: number;
  /** Nobody has joined since what is seen, up to this revision. Some may have left. */
  joinedAt: number;
  settings: Settings;
  #contenders: Contender[];
  readonly #keys: ResourceKeys;

  constructor(keys: ResourceKeys, revision: number, contenders: Contender[], settings: Settings) {
    this.#keys = keys;
    this.lineAt = revision;
    this.settingsAt = revision;
    this.joinedAt = revision;
    this.settings = settings;
    this.#contenders = contenders.sort(byPlace);
  }

  /** What is assumed of a resource that nothing is known of: that nobody uses it. etcd is asked to confirm it. */
  static assumed(keys: ResourceKeys): Sight {
    return new Sight(keys, 0, [], noSettings);
  }

  get contenders(): readonly Contender[] {
    return this.#contenders;
  }

  /** The first of that id, unless its key is `except`. */
  find(id: string, except?: string): Contender | undefined {
    return this.#contenders.find((contender) => contender.key !== except && this.idOf(contender) === id);
  }

  /** All of these ids. A claim that was given up before it was answered for, and asked for again, may have two keys. */
  all(ids: readonly string[]): Contender[] {
    return this.#contenders.filter((contender) => ids.includes(this.idOf(contender)));
  }

  at(key: string): Contender | undefined {
    return this.#contenders.find((contender) => contender.key === key);
  }

  has({ key, created }: KeyUse): boolean {
    return this.at(key)?.created === created;
  }

  /** A contender of another program is called by what its key ends in. */
  idOf({ entry, key }: Contender): string {
    return entry?.id ?? key.slice(this.#keys.below.length);
  }

  *survey(): Generator<Standing> {
    let [used, ahead] = [0, 0];
    for (const contender of this.#contenders) {
      const held = this.#holds(contender, used);
      yield { contender, held, ahead };
      used += contender.entry?.weight ?? Number.POSITIVE_INFINITY;
      if (!held) ahead++;
    }
  }

  #holds({ entry }: Contender, used: number): boolean {
    if (!entry) return used === 0;
    const fits = used + entry.weight <= this.inForce(entry.capacity);
    return entry.held || (fits && !this.settings.pause);
  }

  standing({ key, created }: KeyUse): Standing | undefined {
    for (const standing of this.survey()) {
      const { contender } = standing;
      if (contender.key === key && contender.created === created) return standing;
    }
    return undefined;
  }

  /** Each request is judged by what it declares, unless an operator knows better. */
  inForce(declared: number): number {
    return this.settings.capacity?.value ?? declared;
  }

  /** Whether a newcomer would hold a permit at once. */
  hasRoom(weight: number, declared: number): boolean {
    return !this.settings.pause && this.#used + weight <= this.inForce(declared);
  }

  get #used(): number {
    return this.#contenders.reduce((sum, { entry }) => sum + (entry?.weight ?? Number.POSITIVE_INFINITY), 0);
  }

  /** The permit of the same message's earlier delivery, if it stands. */
  earlierRun({ redelivered, message, id }: Claim): Contender | undefined {
    if (!redelivered || message === undefined) return undefined;
    let earlier: Contender | undefined;
    for (const { contender, held } of this.survey()) {
      if (held && contender.entry?.message === message && contender.entry.id !== id) earlier = contender;
    }
    return earlier;
  }

  /** Milliseconds by which something ends that stands in the way of this contender, if its owner died; of a newcomer by default. */
  retryAfter(key?: string): number {
    let least = this.settings.pause?.ms ?? Number.POSITIVE_INFINITY;
    for (const { contender, held } of this.survey()) {
      if (contender.key === key) break;
      const { entry } = contender;
      least = Math.min(least, (held ? entry?.lease : (entry?.placeLife ?? entry?.lease)) ?? someTime);
    }
    return least === Number.POSITIVE_INFINITY ? someTime : Math.max(1, least);
  }

  /** A capacity that somebody in the line declared, other than this one. */
  otherDeclared(capacity: number): number | undefined {
    return this.#contenders.findLast(({ entry }) => entry && entry.capacity !== capacity)?.entry?.capacity;
  }

  /** These of ours have joined, and nobody else has since the revision `since`. Who has not seen as much does not know who has. */
  joined(contenders: readonly Contender[], revision: number, since: number): void {
    if (this.joinedAt < since) return;
    // Nobody was there, and nothing was stored: so nothing has happened unseen.
    if (this.lineAt === 0) [this.lineAt, this.settingsAt] = [revision, revision];
    // What has become of them since then is seen already.
    else if (this.lineAt >= revision) return;
    this.joinedAt = Math.max(this.joinedAt, revision);
    for (const contender of contenders) this.#put(contender);
  }

  left(use: KeyUse): void {
    if (this.has(use)) this.#remove(use.key);
  }

  #put(contender: Contender): void {
    this.#remove(contender.key);
    this.#contenders = [...this.#contenders, contender].sort(byPlace);
  }

  #remove(key: string): void {
    this.#contenders = this.#contenders.filter((contender) => contender.key !== key);
  }

  /** True when it says anything new. */
  lineChanged({ type, kv }: WatchEvent): boolean {
    const at = Number(kv.mod_revision);
    // The events of one revision come together.
    if (at < this.lineAt) return false;
    this.lineAt = at;
    this.joinedAt = Math.max(this.joinedAt, at);
    const key = kv.key.toString();
    // What has joined under that name since is known from its own call, and its events are yet to come.
    if ((this.at(key)?.modified ?? 0) > at) return true;
    if (isPut(type)) this.#put(contenderOf(kv));
    else this.#remove(key);
    return true;
  }

  settingsChanged({ type, kv }: WatchEvent): boolean {
    const at = Number(kv.mod_revision);
    if (at < this.settingsAt) return false;
    this.settingsAt = at;
    this.settings = isPut(type)
      ? withSetting(this.settings, this.#keys, kv)
      : withoutSetting(this.settings, this.#keys, kv.key);
    return true;
  }
}

/** What a transaction has told that looked. */
export function seen(keys: ResourceKeys, { header, responses }: TransactionAnswer): Sight {
  const [line, settings] = responses.slice(-2).map(({ response_range }) => response_range?.kvs ?? []);
  const contenders = (line ?? []).map(contenderOf);
  return new Sight(keys, Number(header.revision), contenders, readSettings(keys, settings ?? []));
}

/**
 * Compares what there is with what was seen: nobody has joined since, the capacity is the same, and there is no pause.
 * Whoever has left since makes room only.
 */
export function unchanged(keys: ResourceKeys, { joinedAt, settingsAt, settings }: Sight): Comparison[] {
  const nobodyJoined = noneSince(keys.line, joinedAt);
  if (settings.capacityAt === 0) return [nobodyJoined, noneSince(keys.settings, settingsAt)];
  return [
    nobodyJoined,
    { key: keys.capacity, target: 'Mod', result: 'Equal', mod_revision: String(settings.capacityAt) },
    { key: keys.pause, target: 'Create', result: 'Equal', create_revision: '0' },
  ];
}

/** Every key that is there came at that revision or before. */
function noneSince({ key, range_end }: Required<KeyRange>, revision: number): Comparison {
  return { key, range_end, target: 'Create', result: 'Less', create_revision: String(revision + 1) };
}

export function isAbsent({ key }: Pick<KeyUse, 'key'>): Comparison {
  return { key: Buffer.from(key), target: 'Create', result: 'Equal', create_revision: '0' };
}

function contenderOf({ key, create_revision, mod_revision, lease, value }: KeyValue): Contender {
  return {
    key: key.toString(),
    created: Number(create_revision),
    modified: Number(mod_revision),
    lease,
    entry: decode(value),
  };
}

function byPlace(a: Contender, b: Contender): number {
  return a.created - b.created || (a.entry?.rank ?? 0) - (b.entry?.rank ?? 0) || (a.key < b.key ? -1 : 1);
}

/** Events of other clients than etcd3's own may say it in capitals. */
function isPut(type: string): boolean {
  return type.toLowerCase() === 'put';
}
