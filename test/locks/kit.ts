import { expect, onTestFinished } from 'vitest';
import type { Clock } from '../../src/clock.js';
import type { Coordinator, CoordinatorFeatures } from '../../src/locks/coordinator.js';
import { createLocks, type LocksOptions } from '../../src/locks/create-locks.js';
import type { LockEvents } from '../../src/locks/events.js';
import type { Locks } from '../../src/locks/locks.js';
import { memoryCoordinator } from '../../src/locks/memory.js';
import { ManualClock, settle } from '../../src/testing/manual-clock.js';
import { ScriptedCoordinator } from '../support/scripted-coordinator.js';

export { fate, ScriptedCoordinator } from '../support/scripted-coordinator.js';
export { settle };

/** One process that takes part: its locks, its way to the coordinator, and what its events told. */
export interface Side {
  readonly locks: Locks;
  readonly coordinator: ScriptedCoordinator;
  readonly told: Told[];
  /** Those of this name. */
  heard<K extends keyof LockEvents>(name: K): LockEvents[K][];
}

export type Told = {
  readonly event: keyof LockEvents;
  readonly at: number;
  readonly [field: string]: unknown;
};

export interface SideOptions extends Omit<LocksOptions, 'coordinator' | 'clock'> {
  features?: Partial<CoordinatorFeatures>;
  clock?: Clock;
}

const names: (keyof LockEvents)[] = [
  'permit.granted',
  'permit.released',
  'permit.atRisk',
  'permit.lost',
  'permit.abandoned',
  'permit.renewFailed',
  'permit.releaseFailed',
  'resource.changed',
  'capacity.mismatch',
  'coordinator.unavailable',
  'coordinator.available',
];

/** A service, a clock that stands still, and as many sides as a test asks for. What is left open or running fails it. */
export function setUp(clock = new ManualClock()) {
  const service = memoryCoordinator({ clock });
  const sides: Side[] = [];
  onTestFinished(async () => {
    for (const { coordinator } of sides) coordinator.heal();
    await settle();
    await closed(
      clock,
      sides.map(({ locks }) => locks.close()),
    );
    for (const { coordinator } of sides) {
      await coordinator.close();
      expect(coordinator.listening, 'somebody waits to be rung').toBe(0);
    }
    expect(clock.next, 'a timer is left').toBeUndefined();
  });

  return {
    clock,
    service,
    /** A process of its own. */
    side({ features, clock: own = clock, ...options }: SideOptions = {}): Side {
      const coordinator = new ScriptedCoordinator(service, own, features);
      const side = sideOf(createLocks({ ...options, coordinator, clock: own }), coordinator, own);
      sides.push(side);
      return side;
    },
  };
}

function sideOf(locks: Locks, coordinator: ScriptedCoordinator, clock: Clock): Side {
  const told: Told[] = [];
  for (const event of names) {
    locks.events.on(event, (facts) => {
      const { resource, id, ...rest } = facts as unknown as Record<string, unknown>;
      told.push({ ...plain(rest), resource, id, event, at: clock.now() });
    });
  }
  const heard = (name: keyof LockEvents) => told.filter(({ event }) => event === name) as never;
  return { locks, coordinator, told, heard };
}

/** What a lease is to the keeper is no business of the tests. */
function plain(facts: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(facts).filter(([name]) => known.has(name)));
}

const known = new Set([
  'left',
  'cause',
  'error',
  'weight',
  'declared',
  'alsoDeclared',
  'coordinator',
  'change',
  'reason',
]);

/** Lets time pass until all are through: a call that hangs has to time out first. */
async function closed(clock: ManualClock, all: readonly Promise<void>[]): Promise<void> {
  let over = false;
  const through = Promise.all(all).then(() => {
    over = true;
  });
  await settle();
  for (let i = 0; i < 100 && !over; i++) await clock.advance('100ms');
  await through;
}

/** Whether it has come to an end by now. */
export async function settled(promise: Promise<unknown>): Promise<boolean> {
  let over = false;
  const end = () => {
    over = true;
  };
  promise.then(end, end);
  await settle();
  return over;
}

export { errorOf } from '../support/error-of.js';

/** The same for what is asked of the coordinator by hand. */
export const soon = { timeout: 1_000 };

/** Who stands there, as an operator sees it. */
export async function look(service: Coordinator, resource: string) {
  const { holders, waiting } = await service.inspect(resource, soon);
  return { holders: holders.length, waiting: waiting.length };
}
