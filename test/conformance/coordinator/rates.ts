import { expect, it } from 'vitest';
import { ConfigError } from '../../../src/errors.js';
import { book, expectLater, interval, type Kit, later, newId } from './kit.js';

export function noRateSuite(kit: Kit): void {
  it('rejects bookings, for it keeps no rates', async () => {
    const [alice] = await kit.parties();
    await expect(book(alice, kit.name())).rejects.toBeInstanceOf(ConfigError);
  });
}

export function bookingSuite(kit: Kit): void {
  startTests(kit);
  redemptionTests(kit);
}

function startTests(kit: Kit): void {
  it('lets the first start at once, and books the next ones evenly, of whatever party', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    expect(await book(alice, resource)).toEqual({ kind: 'now' });
    expectLater(await book(bob, resource), interval);
    expectLater(await book(alice, resource), 2 * interval);
    expectLater(await book(bob, resource), 3 * interval);
    expect(await book(bob, kit.name())).toEqual({ kind: 'now' });
  });

  it('lets as many start at once as the burst says', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    for (const party of [alice, bob, alice]) {
      expect(await book(party, resource, newId(), { burst: 3 })).toEqual({ kind: 'now' });
    }
    expectLater(await book(bob, resource, newId(), { burst: 3 }), interval);
  });

  it('earns the burst again while nothing starts', async () => {
    const [alice] = await kit.parties();
    const resource = kit.name();
    for (let i = 0; i < 3; i++) await book(alice, resource, newId(), { burst: 3 });
    await kit.pass(4 * interval);
    for (let i = 0; i < 3; i++) {
      expect(await book(alice, resource, newId(), { burst: 3 })).toEqual({ kind: 'now' });
    }
    expect((await book(alice, resource, newId(), { burst: 3 })).kind).toBe('later');
  });

  it('charges a start as often as it costs', async () => {
    const [alice] = await kit.parties();
    const resource = kit.name();
    expect(await book(alice, resource, newId(), { burst: 3, cost: 3 })).toEqual({ kind: 'now' });
    expectLater(await book(alice, resource, newId(), { burst: 3, cost: 2 }), 2 * interval);
    expectLater(await book(alice, resource, newId(), { burst: 3 }), 3 * interval);
  });

  it('rejects a cost above the burst', async () => {
    const [alice] = await kit.parties();
    const resource = kit.name();
    const answer = book(alice, resource, newId(), { burst: 2, cost: 3 });
    await expect(answer).rejects.toBeInstanceOf(ConfigError);
    await expect(answer).rejects.toThrow(resource);
  });

  it('tells what is beyond its reach, and books none of it', async () => {
    const [alice, bob] = await kit.parties();
    const [resource, id] = [kit.name(), newId()];
    await book(alice, resource);
    await later(alice, resource);

    for (const party of [alice, bob]) {
      const booking = await book(party, resource, id, { reach: interval });
      expect(booking.kind).toBe('beyond');
      expect((booking as { after: number }).after).toBeGreaterThan(interval);
    }

    expectLater(await book(bob, resource), 2 * interval);
  });

  it('books nothing but a start now with a reach of 0', async () => {
    const [alice] = await kit.parties();
    const resource = kit.name();
    expect(await book(alice, resource, newId(), { reach: 0 })).toEqual({ kind: 'now' });
    expect((await book(alice, resource, newId(), { reach: 0 })).kind).toBe('beyond');
    expectLater(await book(alice, resource), interval);
  });

  it('tells without booking or charging', async () => {
    const [alice] = await kit.parties();
    const resource = kit.name();
    for (let i = 0; i < 3; i++) {
      expect(await book(alice, resource, newId(), { dry: true })).toEqual({ kind: 'now' });
    }
    await book(alice, resource);
    const [id, far] = [newId(), { dry: true, reach: 0 }];
    for (let i = 0; i < 3; i++) expectLater(await book(alice, resource, id, { dry: true }), interval);
    expect((await book(alice, resource, id, far)).kind).toBe('beyond');
    expectLater(await book(alice, resource), interval);
  });

  it('counts a changed rate from the next booking', async () => {
    const [alice] = await kit.parties();
    const resource = kit.name();
    await book(alice, resource);
    const { id } = await later(alice, resource);

    const slower = { limit: 1, per: 5_000 };
    expectLater(await book(alice, resource, newId(), slower), 2 * interval);
    expectLater(await book(alice, resource, newId(), slower), 2 * interval + 5_000);
    expectLater(await book(alice, resource, id, slower), interval);
  });
}

function redemptionTests(kit: Kit): void {
  it('gives the same booking when it is asked again before its time', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await book(alice, resource);
    const { id, after } = await later(alice, resource);
    await kit.pass(100);

    for (const party of [alice, bob]) {
      const again = await book(party, resource, id);
      expectLater(again, after - 100);
    }

    expectLater(await book(bob, resource), 2 * interval - 100);
  });

  it('lets a booking start when its time has come, without charging it again', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await book(alice, resource);
    const { id, after } = await later(alice, resource);
    await later(bob, resource);
    await kit.pass(after);

    expect(await book(bob, resource, id)).toEqual({ kind: 'now' });

    expectLater(await book(alice, resource), 3 * interval - after);
  });

  it('keeps to its schedule when a start is a little late', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await book(alice, resource);
    const { id, after } = await later(alice, resource);
    await kit.pass(after + 100);
    expect(await book(alice, resource, id)).toEqual({ kind: 'now' });

    expectLater(await book(bob, resource), 2 * interval - after - 100);
  });

  it('does not use up a booking that it only tells of', async () => {
    const [alice] = await kit.parties();
    const resource = kit.name();
    await book(alice, resource);
    const { id, after } = await later(alice, resource);
    expectLater(await book(alice, resource, id, { dry: true }), interval);
    await kit.pass(after);

    expect(await book(alice, resource, id, { dry: true })).toEqual({ kind: 'now' });
    expect(await book(alice, resource, id)).toEqual({ kind: 'now' });
  });

  it('uses up a booking when it starts, so that the same id is charged anew', async () => {
    const [alice] = await kit.parties();
    const resource = kit.name();
    await book(alice, resource);
    const { id, after } = await later(alice, resource);
    await kit.pass(after);
    expect(await book(alice, resource, id)).toEqual({ kind: 'now' });

    expectLater(await book(alice, resource, id), interval);
  });

  it('lets a booking start that is late by less than its tolerance', async () => {
    const [alice] = await kit.parties();
    const resource = kit.name();
    await book(alice, resource);
    const { id, after } = await later(alice, resource);
    for (let i = 0; i < 9; i++) await later(alice, resource);
    await kit.pass(after + 2_000);

    expect(await book(alice, resource, id)).toEqual({ kind: 'now' });
  });

  it('charges a booking anew that is late by more than its tolerance', async () => {
    const [alice] = await kit.parties();
    const resource = kit.name();
    await book(alice, resource);
    const { id, after } = await later(alice, resource, { tolerance: 100 });
    for (let i = 0; i < 9; i++) await later(alice, resource);
    await kit.pass(after + 1_000);

    expectLater(await book(alice, resource, id), 11 * interval - after - 1_000);
  });
}
