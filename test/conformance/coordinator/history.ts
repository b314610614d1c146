import { expect } from 'vitest';
import type { Coordinator, Entered, Granted } from '../../../src/locks/coordinator.js';
import { ask, exit, type Kit, newId, renew, soon } from './kit.js';

export type Step =
  | {
      readonly kind: 'enter';
      readonly party: number;
      readonly claim: number;
      readonly weight: number;
      readonly line: boolean;
    }
  | { readonly kind: 'exit' | 'renew' | 'evict'; readonly party: number; readonly claim: number }
  | { readonly kind: 'time'; readonly leases: number };

/** A claim that holds a permit or has a place, unless that has lapsed. */
interface Known {
  readonly id: string;
  readonly weight: number;
  /** When its lease or its place was begun last, at the earliest. */
  since: Instant;
  /** Set while it holds a permit. */
  permit?: { readonly token: bigint | undefined };
  /** Set while it stands in line: when it came. */
  place?: Came;
}

/** When a claim came, among all that ever came, at the earliest and at the latest. */
interface Came {
  readonly earliest: number;
  readonly latest: number;
}

interface Instant {
  readonly passed: number;
  readonly real: number;
}

/**
 * One history, and what can be known from its answers.
 *
 * How soon what has lapsed is dropped is the coordinator's business, and how long a step took is anybody's guess. So a
 * claim is sure to stand for three quarters of its lease, and may stand for nearly twice its lease; an answer is wrong if
 * it contradicts what is sure.
 */
export class History {
  readonly #kit: Kit;
  readonly #parties: readonly Coordinator[];
  readonly #capacity: number;
  readonly #resource: string;
  readonly #known = new Map<number, Known>();
  readonly #granted: (Came & { readonly token: bigint })[] = [];
  #came = 0;
  #passed = 0;

  constructor(kit: Kit, parties: readonly Coordinator[], capacity: number) {
    this.#kit = kit;
    this.#parties = parties;
    this.#capacity = capacity;
    this.#resource = kit.name();
  }

  async run(steps: readonly Step[]): Promise<void> {
    for (const step of steps) await this.#take(step);
    const ids = [...this.#known.values()].map(({ id }) => id);
    await exit(this.#parties[0]!, this.#resource, ...ids);
    const { holders, waiting } = await this.#parties[1]!.inspect(this.#resource, soon);
    expect([holders, waiting]).toEqual([[], []]);
  }

  async #take(step: Step): Promise<void> {
    if (step.kind === 'time') return this.#pass(step.leases * this.#kit.lease);
    const party = this.#parties[step.party]!;
    if (step.kind === 'enter') return this.#enter(party, step);
    const known = this.#known.get(step.claim);
    if (!known) return;
    if (step.kind === 'renew') return this.#renew(party, step.claim, known);
    this.#known.delete(step.claim);
    if (step.kind === 'exit') await exit(party, this.#resource, known.id);
    else await party.evict({ resource: this.#resource, id: known.id }, soon);
    expect(await renew(party, this.#resource, known.id)).toBe('lost');
  }

  async #pass(ms: number): Promise<void> {
    await this.#kit.pass(ms);
    this.#passed += ms;
  }

  async #enter(party: Coordinator, step: Step & { kind: 'enter' }): Promise<void> {
    const since = this.#now();
    const known = this.#known.get(step.claim) ?? { id: newId(), weight: step.weight, since };
    const answer = await party.enter(this.#request(known, known.place ? true : step.line));
    if (answer.kind === 'granted') this.#checkGrant(known, answer);
    else this.#checkRefusal(known);

    const after = this.#after(known, answer, since);
    if (after) this.#known.set(step.claim, after);
    else this.#known.delete(step.claim);
  }

  #request({ id, weight }: Known, line: boolean) {
    const { lease } = this.#kit;
    return ask(this.#resource, id, { capacity: this.#capacity, weight, lease, placeLife: lease, line });
  }

  #after({ id, weight, ...known }: Known, answer: Entered, since: Instant): Known | undefined {
    if (answer.kind === 'busy') return undefined;
    if (answer.kind === 'granted') return { id, weight, since, permit: { token: answer.grants[0]!.token } };
    return { id, weight, since, place: this.#cameOf(known) };
  }

  /** When a claim came that is let in, or waits, now: with its place, if that has not lapsed. */
  #cameOf({ place, since }: Pick<Known, 'place' | 'since'>): Came {
    if (place && this.#isSure({ since })) return place;
    const latest = this.#came++;
    return { earliest: place && this.#isPossible({ since }) ? place.earliest : latest, latest };
  }

  #checkGrant(known: Known, { grants: [grant] }: Granted): void {
    expect(grant!.id).toBe(known.id);
    const sure = this.#others(known).filter((other) => this.#isSure(other));
    expect(weigh(sure) + known.weight).toBeLessThanOrEqual(this.#capacity);
    if (known.permit && this.#isSure(known)) expect(grant!.token).toBe(known.permit.token);
    if (known.permit && known.permit.token === grant!.token) return;

    const came = this.#cameOf(known);
    this.#checkOrder(known, sure, came);
    this.#checkToken(grant!.token, came);
  }

  /** Nobody ahead is passed but those there is room for as well: they hold a permit by that, whether they have asked or not. */
  #checkOrder(known: Known, sure: readonly Known[], { earliest }: Came): void {
    const ahead = sure.filter(({ place }) => place && place.latest < earliest);
    const weight = ahead.reduce((sum, other) => sum + other.weight, weigh(sure) + known.weight);
    expect(weight).toBeLessThanOrEqual(this.#capacity);
  }

  /** Whoever came before has the smaller token. */
  #checkToken(token: bigint | undefined, came: Came): void {
    if (token === undefined) return;
    for (const other of this.#granted) {
      if (other.latest < came.earliest) expect(token).toBeGreaterThan(other.token);
      else if (other.earliest > came.latest) expect(token).toBeLessThan(other.token);
      else expect(token).not.toBe(other.token);
    }
    this.#granted.push({ ...came, token });
  }

  #checkRefusal(known: Known): void {
    if (known.permit) expect(this.#isSure(known)).toBe(false);
    const possible = this.#others(known).filter((other) => this.#isPossible(other));
    const came = this.#isSure(known) ? (known.place?.latest ?? this.#came) : this.#came;
    const ahead = possible.some(({ place }) => place && place.earliest < came);
    expect(ahead || weigh(possible) + known.weight > this.#capacity).toBe(true);
  }

  async #renew(party: Coordinator, claim: number, known: Known): Promise<void> {
    const since = this.#now();
    const answer = await renew(party, this.#resource, known.id, this.#kit.lease);
    if (!known.permit && answer === 'kept') return this.#renewedInLine(known, since);
    if (known.permit && this.#isSure(known)) expect(answer).toBe('kept');
    if (!this.#isPossible(known)) expect(answer).toBe('lost');
    if (answer === 'kept') known.since = since;
    else if (known.permit) this.#known.delete(claim);
  }

  /** Only a place that there is room for may be taken for a permit. */
  #renewedInLine(known: Known, since: Instant): void {
    const sure = this.#others(known).filter((other) => this.#isSure(other));
    this.#checkOrder(known, sure, known.place!);
    known.since = since;
  }

  #others(known: Known): Known[] {
    return [...this.#known.values()].filter((other) => other !== known);
  }

  #isSure(known: Pick<Known, 'since'>): boolean {
    return this.#age(known) < 0.75 * this.#kit.lease;
  }

  #isPossible(known: Pick<Known, 'since'>): boolean {
    return this.#age(known) < 1.9 * this.#kit.lease;
  }

  /** A clock that is moved by hand stands still between moves; a real one goes on by itself. */
  #age({ since }: Pick<Known, 'since'>): number {
    const { passed, real } = this.#now();
    return Math.max(passed - since.passed, real - since.real);
  }

  #now(): Instant {
    return { passed: this.#passed, real: performance.now() };
  }
}

function weigh(claims: readonly Known[]): number {
  return claims.reduce((sum, { permit, weight }) => sum + (permit ? weight : 0), 0);
}
