import { randomUUID } from 'node:crypto';
import { afterEach, expect, it } from 'vitest';
import type {
  Booking,
  BookRequest,
  Busy,
  CallOptions,
  Claim,
  Coordinator,
  CoordinatorFeatures,
  Entered,
  EnterRequest,
  Granted,
  Queued,
} from '../../../src/locks/coordinator.js';

/** What the suite needs to know of a coordinator to put it to the test. */
export interface CoordinatorHarness {
  /** What this coordinator is expected to be able to do. */
  readonly features: CoordinatorFeatures;
  /** A party with a connection of its own to the same service. */
  connect(): Promise<Coordinator>;
  /** Lets milliseconds pass, on a clock that is moved by hand or in truth. */
  pass(ms: number): Promise<void>;
  /** A name that no resource has had before. */
  name(): string;
  /** Whether nothing is left of names that are no longer used. */
  idle?(): Promise<boolean>;
  /** After every test, when all that it opened is closed. */
  cleanup?(): Promise<void>;
  /** How many random histories are tried. Default: 10, which is what a server in real time has the patience for. */
  readonly histories?: number;
}

export interface Kit extends Omit<CoordinatorHarness, 'cleanup'> {
  /** Milliseconds: the lease for tests that see it end. All others have one that no slow machine sees the end of. */
  readonly lease: number;
  /** Two parties. They are closed after the test. */
  parties(): Promise<[alice: Coordinator, bob: Coordinator]>;
  /** Lets up to `ms` milliseconds pass, until the condition holds. */
  passUntil(condition: () => Promise<boolean>, ms: number): Promise<void>;
}

/** A step's deadline, for steps that are not about it. */
export const soon: CallOptions = { timeout: 10_000 };

/** Longer than any test. */
export const long = 60_000;

/** Registers what ends a test: nothing that was opened stays open. */
export function createKit(harness: CoordinatorHarness): Kit {
  const opened: Coordinator[] = [];
  afterEach(async () => {
    for (const party of opened.splice(0).reverse()) await party.close();
    await harness.cleanup?.();
  });

  async function connect(): Promise<Coordinator> {
    const party = await harness.connect();
    opened.push(party);
    return party;
  }

  return {
    ...harness,
    connect,
    lease: Math.max(1_000, harness.features.minLease),
    parties: async () => [await connect(), await connect()],
    async passUntil(condition, ms) {
      const step = ms / 20;
      for (let passed = 0; !(await condition()); passed += step) {
        if (passed >= ms) throw new Error(`Let ${ms} ms pass in vain for ${condition}`);
        await harness.pass(step);
      }
    },
  };
}

/** `it`, where the coordinator has what the test is about. Elsewhere there is no such test, rather than one skipped. */
export function where(able: boolean): (name: string, test: () => Promise<void>) => void {
  return able ? it : () => {};
}

/** An id that no claim has had before. */
export function newId(): string {
  return randomUUID();
}

/** A request for one permit of a mutex, unless it says otherwise. */
export function ask(
  resource: string,
  claims: string | Claim | readonly string[],
  options: Partial<EnterRequest> = {},
): EnterRequest {
  const several = typeof claims === 'string' || 'id' in claims ? [claims] : claims;
  return {
    resource,
    claims: several.map((claim) => (typeof claim === 'string' ? { id: claim } : claim)),
    owner: 'host/1/a',
    weight: 1,
    capacity: 1,
    lease: long,
    line: false,
    placeLife: long,
    ...soon,
    ...options,
  };
}

export function granted(answer: Entered): Granted {
  expect(answer.kind).toBe('granted');
  return answer as Granted;
}

export function queued(answer: Entered): Queued {
  expect(answer.kind).toBe('queued');
  return answer as Queued;
}

export function busy(answer: Entered): Busy {
  expect(answer.kind).toBe('busy');
  return answer as Busy;
}

/** Enters with a claim of its own, for which there must be room. Returns the claim's id. */
export async function hold(
  party: Coordinator,
  resource: string,
  options?: Partial<EnterRequest>,
): Promise<string> {
  const id = newId();
  granted(await party.enter(ask(resource, id, options)));
  return id;
}

/** Enters with a claim of its own, which must find itself in line. Returns the claim's id. */
export async function standInLine(
  party: Coordinator,
  resource: string,
  options?: Partial<EnterRequest>,
): Promise<string> {
  const id = newId();
  queued(await party.enter(ask(resource, id, { ...options, line: true })));
  return id;
}

/** Whether a claim gets in now. */
export async function enters(
  party: Coordinator,
  resource: string,
  id = newId(),
  options?: Partial<EnterRequest>,
): Promise<boolean> {
  return (await party.enter(ask(resource, id, options))).kind === 'granted';
}

export async function exit(party: Coordinator, resource: string, ...ids: string[]): Promise<void> {
  await party.exit(
    ids.map((id) => ({ resource, id })),
    soon,
  );
}

/** Whether the permit was still held. */
export async function renew(
  party: Coordinator,
  resource: string,
  id: string,
  lease: number = long,
): Promise<string | undefined> {
  const answers = await party.renew([{ resource, id, lease }], soon);
  return answers.get(id);
}

/** A rate of two starts a second, evenly, unless it says otherwise. */
export function rate(resource: string, id: string, options: Partial<BookRequest> = {}): BookRequest {
  const usual = { limit: 2, per: 1_000, burst: 1, cost: 1, reach: 3_600_000, tolerance: 5_000 };
  return { resource, id, ...usual, ...soon, ...options };
}

export function book(
  party: Coordinator,
  resource: string,
  id: string = newId(),
  options?: Partial<BookRequest>,
): Promise<Booking> {
  return party.book(rate(resource, id, options));
}

/** Milliseconds between two starts of the usual rate. */
export const interval = 500;

/** What a step may take on a slow machine, in milliseconds. */
const slack = 300;

/** Books a start that is not free yet. Returns its id, and when it is. */
export async function later(party: Coordinator, resource: string, options?: Partial<BookRequest>) {
  const id = newId();
  const booking = await book(party, resource, id, options);
  expect(booking.kind).toBe('later');
  return { id, after: (booking as { after: number }).after };
}

export function expectLater(booking: Booking, after: number): void {
  expect(booking.kind).toBe('later');
  expect((booking as { after: number }).after).toBeLessThanOrEqual(after + 1);
  expect((booking as { after: number }).after).toBeGreaterThan(after - slack);
}
