import { describe, expect, it } from 'vitest';
import type { Clock } from '../../src/clock.js';
import { ClosedError } from '../../src/errors.js';
import type { Coordinator } from '../../src/locks/coordinator.js';
import { MemoryParty } from '../../src/locks/memory/party.js';
import { MemoryService } from '../../src/locks/memory/service.js';
import { memoryCoordinator } from '../../src/locks/memory.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import {
  ask,
  book,
  enters,
  exit,
  granted,
  hold,
  newId,
  soon,
  standInLine,
} from '../conformance/coordinator/kit.js';
import { coordinatorSuite } from '../conformance/coordinator.js';

const clock = new ManualClock();
let service = new MemoryService(clock);
let names = 0;

coordinatorSuite('memory', {
  features: {
    fair: true,
    fencing: true,
    weighted: true,
    semaphore: true,
    rate: true,
    survivesFailover: false,
    minLease: 1,
  },
  connect: async () => new MemoryParty(service),
  pass: (ms) => clock.advance(ms),
  name: () => `resource-${++names}`,
  idle: async () => {
    // Two resources are looked at for each new one, so this looks at all of them.
    const passerBy = new MemoryParty(service);
    for (let left = service.size; left >= 0; left--) await touch(passerBy, `passer-by-${left}`);
    return service.size <= 1;
  },
  cleanup: async () => {
    service = new MemoryService(clock);
  },
  histories: 500,
});

async function touch(party: Coordinator, resource: string): Promise<void> {
  const id = newId();
  await party.enter(ask(resource, id));
  await party.exit([{ resource, id }], soon);
}

describe('memory coordinator', () => {
  it('leaves nothing of 100,000 resources that were used once, but for the last', async () => {
    const service = new MemoryService(clock);
    const party = new MemoryParty(service);
    for (let i = 0; i < 100_000; i++) await touch(party, `account-${i}`);
    expect(service.size).toBe(1);
  });

  it('forgets what crashed owners left on resources that nobody touches again', async () => {
    const service = new MemoryService(clock);
    const party = new MemoryParty(service);
    for (let i = 0; i < 1_000; i++) {
      await hold(party, `held-${i}`, { lease: 1_000 });
      await book(party, `rate-${i}`, newId(), { tolerance: 100 });
    }
    await clock.advance(2_000);

    for (let i = 0; i < 1_002; i++) await touch(party, `account-${i}`);

    expect(service.size).toBe(1);
  });

  it('remembers nothing of what was only asked, evicted or closed', async () => {
    const service = new MemoryService(clock);
    const [party, other] = [new MemoryParty(service), new MemoryParty(service)];
    await book(party, 'rate', newId(), { dry: true });
    expect(service.size).toBe(0);
    await party.inspect('storage');
    await party.evict({ resource: 'storage', id: await hold(party, 'storage') });
    expect(service.size).toBe(0);

    party.wake({ resource: 'storage', id: newId() }, () => {});
    const stop = other.wake({ resource: 'storage', id: newId() }, () => {});
    await party.close();
    expect(service.size).toBe(1);
    stop();
    expect(service.size).toBe(0);
  });

  it('sets no timer', async () => {
    const still: Clock = { now: () => 0, wall: () => 0, after: () => expect.unreachable('a timer was set') };
    const party = memoryCoordinator({ clock: still });
    const held = await hold(party, 'storage');
    const waiting = await standInLine(party, 'storage');
    party.wake({ resource: 'storage', id: waiting }, () => {});
    await party.pause('storage', 1_000, soon);
    await party.setCapacity('storage', 2, { ...soon, expiresIn: 1_000 });
    await book(party, 'rate');
    await exit(party, 'storage', held, waiting);
    await party.close();
  });

  it('calls no listener from within the step that is the cause', async () => {
    const party = memoryCoordinator({ clock });
    const held = await hold(party, 'storage');
    const waiting = await standInLine(party, 'storage');
    let calls = 0;
    party.wake({ resource: 'storage', id: waiting }, () => calls++);

    const exited = party.exit([{ resource: 'storage', id: held }], soon);
    expect(calls).toBe(0);
    await exited;
    await Promise.resolve();
    expect(calls).toBe(1);
  });

  it('calls nobody who stops listening before the call', async () => {
    const party = memoryCoordinator({ clock });
    const held = await hold(party, 'storage');
    const waiting = await standInLine(party, 'storage');
    const stop = party.wake({ resource: 'storage', id: waiting }, () => expect.unreachable());

    const exited = party.exit([{ resource: 'storage', id: held }], soon);
    stop();
    await exited;
  });

  it('listens for nobody once it is closed', async () => {
    const party = memoryCoordinator({ clock });
    await party.close();
    expect(() => party.wake({ resource: 'storage', id: newId() }, () => {})).toThrow(ClosedError);
    await expect(book(party, 'rate')).rejects.toThrow(ClosedError);
  });

  it('ends a lease early when it is renewed for less', async () => {
    const party = memoryCoordinator({ clock });
    const id = await hold(party, 'storage');
    await party.renew([{ resource: 'storage', id, lease: 500 }], soon);
    await clock.advance(500);
    expect(await enters(party, 'storage')).toBe(true);
  });

  it('makes a redelivered message wait for the last of its earlier runs', async () => {
    const party = memoryCoordinator({ clock });
    const run = (redelivered: boolean) => ({ id: newId(), message: 'm', redelivered });
    for (const lease of [3_000, 5_000, 2_000]) {
      await party.enter(ask('storage', run(false), { capacity: 9, lease }));
    }
    const answer = await party.enter(ask('storage', run(true), { capacity: 9 }));
    expect(answer).toEqual({ kind: 'busy', retryAfter: 2_000, ownUntil: 5_000 });
  });

  it('forgets after a minute what nobody declares any more', async () => {
    const party = memoryCoordinator({ clock });
    const declare = async (capacity: number) =>
      granted(await party.enter(ask('storage', newId(), { capacity, lease: 200_000 }))).alsoDeclared;
    expect(await declare(8)).toBeUndefined();
    expect(await declare(9)).toBe(8);
    await clock.advance(59_000);
    expect(await declare(9)).toBe(8);
    await clock.advance(1_000);
    expect(await declare(9)).toBeUndefined();
  });

  it('tells the first in line that a permit has lapsed as soon as anybody comes by', async () => {
    const party = memoryCoordinator({ clock });
    await hold(party, 'storage', { lease: 1_000 });
    const waiting = await standInLine(party, 'storage');
    let calls = 0;
    party.wake({ resource: 'storage', id: waiting }, () => calls++);
    await clock.advance(1_000);
    expect(calls).toBe(0);

    await party.inspect('storage', soon);
    await Promise.resolve();

    expect(calls).toBe(1);
  });

  it('says exactly when the next permit, place or pause ends', async () => {
    const party = memoryCoordinator({ clock });
    const retryAfter = async (line = false, id = newId()) => {
      const answer = await party.enter(ask('storage', id, { capacity: 2, line, placeLife: 4_000 }));
      return answer.kind === 'granted' ? 0 : answer.retryAfter;
    };
    const first = await hold(party, 'storage', { capacity: 2, lease: 5_000 });
    await hold(party, 'storage', { capacity: 2, lease: 6_000 });
    expect(await retryAfter()).toBe(5_000);
    await party.renew([{ resource: 'storage', id: first, lease: 9_000 }], soon);
    expect(await retryAfter()).toBe(6_000);
    const place = newId();
    expect(await retryAfter(true, place)).toBe(6_000);
    expect(await retryAfter(true)).toBe(4_000);
    await clock.advance(1_000);
    expect(await retryAfter(true, place)).toBe(5_000);
    expect(await retryAfter()).toBe(3_000);
    await party.setCapacity('storage', 1, { ...soon, expiresIn: 700 });
    expect(await retryAfter()).toBe(700);
    await party.pause('storage', 500, soon);
    expect(await retryAfter()).toBe(500);
  });

  it('gives tokens that rise over restarts, for what they protect is not forgotten', async () => {
    const token = async (service: Coordinator) => {
      const answer = await service.enter(ask('storage', newId()));
      return answer.kind === 'granted' ? answer.grants[0]!.token! : 0n;
    };
    const before = await token(memoryCoordinator({ clock }));
    await clock.advance(1);
    expect(await token(memoryCoordinator({ clock }))).toBeGreaterThan(before);
  });

  it('serves 10,000 in line in their order', async () => {
    const party = memoryCoordinator({ clock });
    let holder = await hold(party, 'storage');
    const line = [];
    for (let i = 0; i < 10_000; i++) line.push(await standInLine(party, 'storage'));
    for (const id of line) {
      await exit(party, 'storage', holder);
      expect(await enters(party, 'storage', id, { line: true })).toBe(true);
      holder = id;
    }
  });

  it('is given the clock of the machine unless it is told another', async () => {
    const party = memoryCoordinator();
    await hold(party, 'storage');
    const { holders } = await party.inspect('storage', soon);
    expect(Math.abs(holders[0]!.since - Date.now())).toBeLessThan(1_000);
  });
});
