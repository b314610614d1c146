import { expect, it } from 'vitest';
import { ClosedError } from '../../../src/errors.js';
import type { StoredState } from '../../../src/results/result-store.js';
import { finals, type Kit, newId, passing, ttl, values } from './kit.js';

export function stateSuite(kit: Kit): void {
  it('says what it is', async () => {
    expect((await kit.connect()).kind).toMatch(/^[a-z]+$/);
  });

  it('knows nothing of what was never put', async () => {
    expect(await (await kit.connect()).get(newId())).toBeUndefined();
  });

  for (const state of [...passing, ...finals]) {
    it(`gives a state that is ${state.state} to another party, as it was put`, async () => {
      const [alice, bob] = [await kit.connect(), await kit.connect()];
      const id = newId();

      await alice.put(id, state, ttl);

      expect(await bob.get(id)).toEqual(state);
    });
  }

  for (const [what, value] of Object.entries(values)) {
    it(`carries ${what}`, async () => {
      const store = await kit.connect();
      const id = newId();
      await store.put(id, { state: 'done', at: 1, value }, ttl);

      expect(((await store.get(id)) as { value?: unknown }).value).toStrictEqual(value);
    });
  }

  it('keeps a copy, and gives out copies', async () => {
    const store = await kit.connect();
    const id = newId();
    const value = { list: [1] };
    await store.put(id, { state: 'done', at: 1, value }, ttl);
    value.list.push(2);

    const first = (await store.get(id)) as { value: typeof value };
    first.value.list.push(3);

    expect(await store.get(id)).toEqual({ state: 'done', at: 1, value: { list: [1] } });
  });

  it('replaces a state that may still change', async () => {
    const store = await kit.connect();
    const id = newId();
    for (const state of [...passing, ...passing.toReversed(), finals[0]!]) {
      await store.put(id, state, ttl);
      expect(await store.get(id)).toEqual(state);
    }
  });

  for (const state of finals) {
    it(`never overwrites a state that is ${state.state}`, async () => {
      const [alice, bob] = [await kit.connect(), await kit.connect()];
      const id = newId();
      await alice.put(id, state, ttl);

      for (const other of [...passing, ...finals])
        await bob.put(id, { ...other, at: 99 } as StoredState, ttl);

      expect(await alice.get(id)).toEqual(state);
    });
  }

  it('keeps one of two final states that are put at once', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const id = newId();
    await Promise.all(finals.map((state, i) => [alice, bob][i % 2]!.put(id, state, ttl)));
    const kept = await alice.get(id);

    expect(finals).toContainEqual(kept);
    expect(await bob.get(id)).toEqual(kept);
  });

  it('keeps the states of different tasks apart', async () => {
    const store = await kit.connect();
    const ids = ['', '*', '{}', 'a:b', '__proto__', 'constructor', '😀\n', 'x'.repeat(10_000)].map(
      (id) => newId() + id,
    );
    for (const id of ids) await store.put(id, { state: 'skipped', at: 1, reason: id }, ttl);

    for (const id of ids) expect(await store.get(id)).toEqual({ state: 'skipped', at: 1, reason: id });
  });

  it('forgets a state when its time is over, a final one too', async () => {
    const store = await kit.connect();
    const [passingId, finalId, longId] = [newId(), newId(), newId()];
    await store.put(passingId, passing[0]!, 1_000);
    await store.put(finalId, finals[0]!, 1_000);
    await store.put(longId, finals[0]!, ttl);

    await kit.pass(300);
    expect(await store.get(passingId)).toEqual(passing[0]);
    expect(await store.get(finalId)).toEqual(finals[0]);
    await kit.pass(1_000);

    expect(await store.get(passingId)).toBeUndefined();
    expect(await store.get(finalId)).toBeUndefined();
    expect(await store.get(longId)).toEqual(finals[0]);
  });

  it('counts the time from the last put, and knows no final state whose time is over', async () => {
    const store = await kit.connect();
    const id = newId();
    await store.put(id, passing[0]!, 1_000);
    await kit.pass(550);
    await store.put(id, finals[0]!, 1_000);
    await kit.pass(550);
    expect(await store.get(id)).toEqual(finals[0]);
    await kit.pass(550);

    await store.put(id, passing[0]!, ttl);

    expect(await store.get(id)).toEqual(passing[0]);
  });

  it('does not keep a final state longer because somebody tried to overwrite it', async () => {
    const store = await kit.connect();
    const id = newId();
    await store.put(id, finals[0]!, 1_000);
    await store.put(id, finals[1]!, ttl);
    await kit.pass(1_300);

    expect(await store.get(id)).toBeUndefined();
  });

  it('forgets what it is told to, and begins anew', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const [id, other] = [newId(), newId()];
    await alice.put(id, finals[0]!, ttl);
    await alice.put(other, finals[0]!, ttl);

    await bob.forget(id);
    await bob.forget(newId());

    expect(await alice.get(id)).toBeUndefined();
    expect(await alice.get(other)).toEqual(finals[0]);
    await alice.put(id, passing[0]!, ttl);
    expect(await alice.get(id)).toEqual(passing[0]);
  });

  it('refuses every call after it was closed, and is closed as often as one likes', async () => {
    const store = await kit.connect();
    await Promise.all([store.close(), store.close()]);
    await store.close();

    const refused = [
      () => store.put('id', passing[0]!, ttl),
      () => store.get('id'),
      () => store.watch('id', () => {}),
      () => store.forget('id'),
      () => store.join('group', { size: 1, index: 0, value: 1 }, ttl),
    ];
    for (const call of refused) await expect(call()).rejects.toThrow(ClosedError);
  });
}
