import { expect, it } from 'vitest';
import { book, exit, expectLater, interval, type Kit, later, newId, soon } from './kit.js';

/** What is late, given back, put on hold or taken away: an unused start is lost, and never owed. */
export function lostStartSuite(kit: Kit): void {
  latenessTests(kit);
  refundTests(kit);
  operatorTests(kit);
}

function latenessTests(kit: Kit): void {
  const fast = { limit: 100, per: 1_000, burst: 5 };

  /** Books that many starts, lets time pass, and asks for all of them. Returns how many started, and the most that may. */
  async function startTogether(bookings: number, ms: number, tolerance: number) {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    const ids = Array.from({ length: bookings + fast.burst }, newId);
    const options = { ...fast, tolerance };
    for (const id of ids) await book(alice, resource, id, options);
    await kit.pass(ms);

    const begin = performance.now();
    const answers = await Promise.all(ids.slice(fast.burst).map((id) => book(bob, resource, id, options)));
    const meanwhile = (performance.now() - begin) / 10;
    return { started: answers.filter(({ kind }) => kind === 'now').length, meanwhile };
  }

  it('lets no more than the burst start together after a silence, however many were booked', async () => {
    const { started, meanwhile } = await startTogether(200, 3_000, 100);
    expect(started).toBeLessThanOrEqual(fast.burst + 1 + meanwhile);
    expect(started).toBeGreaterThan(0);
  });

  it('lets no more than the burst and a tenth of the limit start together that are late within their tolerance', async () => {
    const { started, meanwhile } = await startTogether(100, 1_000, 10_000);
    expect(started).toBeLessThanOrEqual(fast.burst + fast.limit / 10 + 1 + meanwhile);
    expect(started).toBeGreaterThan(0);
  });
}

function refundTests(kit: Kit): void {
  it('gives back the latest booking', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await book(alice, resource);
    await later(alice, resource);
    const { id } = await later(alice, resource);

    await exit(bob, resource, id);
    await exit(bob, resource, id);

    expectLater(await book(alice, resource), 2 * interval);
    expectLater(await book(alice, resource), 3 * interval);
  });

  it('gives back several bookings, the latest first', async () => {
    const [alice] = await kit.parties();
    const resource = kit.name();
    await book(alice, resource);
    const { id: first } = await later(alice, resource);
    const { id: second } = await later(alice, resource);

    await exit(alice, resource, second, first);

    expectLater(await book(alice, resource), interval);
  });

  it('loses the start of a booking that others were booked behind', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await book(alice, resource);
    const { id: first, after } = await later(alice, resource);
    const { id: second } = await later(bob, resource);

    await exit(alice, resource, first);

    expectLater(await book(alice, resource), 3 * interval);
    expectLater(await book(bob, resource, second), 2 * interval);
    await kit.pass(after);
    expectLater(await book(alice, resource, first), 4 * interval - after);
  });

  it('gives back a start that was made, once', async () => {
    const [alice, bob] = await kit.parties();
    const [resource, id] = [kit.name(), newId()];
    expect(await book(alice, resource, id)).toEqual({ kind: 'now' });

    await exit(alice, resource, id);
    expect(await book(bob, resource)).toEqual({ kind: 'now' });
    await exit(alice, resource, id);

    expectLater(await book(bob, resource), interval);
  });

  it('gives back all that a start has cost', async () => {
    const [alice] = await kit.parties();
    const [resource, id] = [kit.name(), newId()];
    const options = { burst: 3, cost: 3 };
    expect(await book(alice, resource, id, options)).toEqual({ kind: 'now' });
    await exit(alice, resource, id);
    expect(await book(alice, resource, newId(), options)).toEqual({ kind: 'now' });
    expectLater(await book(alice, resource, newId(), options), 3 * interval);
  });

  it('loses a start that was made when others were charged since', async () => {
    const [alice] = await kit.parties();
    const [resource, id] = [kit.name(), newId()];
    await book(alice, resource, id, { burst: 2 });
    await book(alice, resource, newId(), { burst: 2 });

    await exit(alice, resource, id);

    expectLater(await book(alice, resource, newId(), { burst: 2 }), interval);
  });
}

function operatorTests(kit: Kit): void {
  it('books no start before the end of a pause', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await alice.pause(resource, 5_000, soon);

    expectLater(await book(bob, resource), 5_000);
    expectLater(await book(bob, resource), 5_000 + interval);
    expect((await book(bob, resource, newId(), { reach: 0 })).kind).toBe('beyond');
    await alice.pause(resource, 0, soon);
  });

  it('lets a whole burst start at the end of a pause', async () => {
    const [alice] = await kit.parties();
    const resource = kit.name();
    await alice.pause(resource, 5_000, soon);
    for (let i = 0; i < 3; i++) expectLater(await book(alice, resource, newId(), { burst: 3 }), 5_000);
    expectLater(await book(alice, resource, newId(), { burst: 3 }), 5_000 + interval);
    await alice.pause(resource, 0, soon);
  });

  it('voids a booking that is redeemed during a pause, and books it anew', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await book(alice, resource);
    const { id, after } = await later(alice, resource);
    await bob.pause(resource, 5_000, soon);
    await kit.pass(after);

    expectLater(await book(alice, resource, id), 5_000 - after);
    expectLater(await book(bob, resource), 5_000 - after + interval);
    await bob.pause(resource, 0, soon);
  });

  it('lets starts through again when a pause is ended', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await alice.pause(resource, 30_000, soon);
    await bob.pause(resource, 0, soon);
    expect(await book(alice, resource)).toEqual({ kind: 'now' });
  });

  it('lets an operator take a booking away', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await book(alice, resource);
    const { id, after } = await later(alice, resource);
    await later(alice, resource);

    expect(await bob.evict({ resource, id }, soon)).toBe(true);
    expect(await bob.evict({ resource, id }, soon)).toBe(false);
    expect(await bob.evict({ resource, id: newId() }, soon)).toBe(false);

    await kit.pass(after);
    expectLater(await book(alice, resource, id), 3 * interval - after);
  });

  it('shows how many are booked, and when the next start is free', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await book(alice, resource);
    await later(alice, resource);
    await later(bob, resource);

    const { rate } = await bob.inspect(resource, soon);

    expect(rate!.booked).toBe(2);
    expect(rate!.nextStart).toBeLessThanOrEqual(3 * interval + 1);
    expect(rate!.nextStart).toBeGreaterThan(2 * interval);
  });
}
