import type { Permit } from 'lockkeeper';
import { decode } from '../../src/locks/etcd/entry.js';
import { tokenOf } from '../../src/locks/etcd/token.js';
import type { PlayedEtcd, Stored } from './etcd.js';
import type { PlayedProcess } from './process.js';

/** A permit that somebody was given and has not given back. */
export interface Stay {
  readonly permit: Permit;
  readonly process: PlayedProcess;
}

/**
 * Looks at every grant whether the weights of all who say that they hold add up to more than the capacity, and whether its
 * token is the largest; and at every deletion whether somebody says that he holds that key. A process that is stopped says
 * nothing, and looks when it wakes.
 */
export class PlayedReferee {
  acquisitions = 0;
  /** In words. */
  readonly violations: string[] = [];
  readonly #etcd: PlayedEtcd;
  readonly #stays = new Set<Stay>();
  /** The most that there ever was of a resource. */
  readonly #capacities: Map<string, number>;
  /** The last that was granted, of each resource. */
  readonly #tokens = new Map<string, bigint>();

  constructor(etcd: PlayedEtcd, capacities: Readonly<Record<string, number>>) {
    this.#etcd = etcd;
    this.#capacities = new Map(Object.entries(capacities));
    etcd.onDeleted = (stored) => this.#gone(stored);
  }

  found(what: string): void {
    this.violations.push(`at ${Math.round(this.#etcd.now)} ms: ${what}`);
  }

  /** There is as much from now on, or soon. */
  raise(resource: string, capacity: number): void {
    this.#capacities.set(resource, Math.max(capacity, this.#capacities.get(resource) ?? 0));
  }

  /** Somebody was let in. Returns what says that he leaves. */
  enter(stay: Stay): () => void {
    const { permit } = stay;
    const leave = () => this.#stays.delete(stay);
    if (!permit.held) return leave;
    this.acquisitions++;
    this.#stays.add(stay);
    if (!this.#etcd.keys.some((stored) => tokenIn(stored) === permit.token))
      this.found(`${permit.resource} is granted by ${permit.token}, whose key is gone`);
    const held = this.#holding(({ resource }) => resource === permit.resource).filter(isHeld);
    const used = held.reduce((sum, { permit }) => sum + permit.weight, 0);
    const capacity = this.#capacities.get(permit.resource)!;
    if (used > capacity)
      this.found(`${used} of ${capacity} of ${permit.resource} are held, the last by ${permit.token}`);
    if (capacity === 1) this.#compare(permit);
    return leave;
  }

  /** Of what one alone has at a time. Runs that are handed on share theirs. */
  #compare({ resource, token }: Permit): void {
    const before = this.#tokens.get(resource) ?? -1n;
    if (token < before) this.found(`the token ${token} of ${resource} was granted after ${before}`);
    this.#tokens.set(resource, token);
  }

  #holding(which: (permit: Permit) => boolean): Stay[] {
    return [...this.#stays].filter(({ permit }) => which(permit));
  }

  #gone(stored: Stored): void {
    for (const stay of this.#holding(({ token }) => token === tokenIn(stored)))
      if (isHeld(stay)) this.found(`the key of ${stay.permit.token} of ${stay.permit.resource} is gone`);
  }

  /** What it was told is lost by now, if it is, and it knows that at once. */
  woken(process: PlayedProcess): void {
    const there = new Set(this.#etcd.keys.map(tokenIn));
    for (const stay of this.#holding(({ token }) => !there.has(token)))
      if (stay.process === process && isHeld(stay))
        this.found(`the key of ${stay.permit.token} of ${stay.permit.resource} went while it was stopped`);
  }

  /** Whoever is dead holds nothing. */
  dead(process: PlayedProcess): void {
    for (const stay of this.#stays) if (stay.process === process) this.#stays.delete(stay);
  }
}

const isHeld = ({ permit, process }: Stay): boolean => process.runs && permit.held;

const tokenIn = ({ created, value }: Stored): bigint => tokenOf(created, decode(value));
