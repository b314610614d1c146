import { expect, it } from 'vitest';
import { ClosedError, ConfigError } from '../../../src/errors.js';
import type { ResultStore, StoredState } from '../../../src/results/result-store.js';
import { until } from '../../support/until.js';
import { finals, type Kit, newId, passing, ttl, values } from './kit.js';

/** What is promised of a store that keeps nothing, and sends states to whoever made the call. */
export function replySuite(kit: Kit): void {
  /** A worker, and a caller with where it listens. */
  async function parties() {
    const [worker, caller] = [await kit.connect(), await kit.connect()];
    return { worker, caller, reply: { to: await addressOf(caller) } };
  }

  it('says what it is, and what it cannot', async () => {
    const store = await kit.connect();
    expect(store.kind).toMatch(/^[a-z]+$/);
    expect(store.features).toEqual({ kept: false, groups: false });
    const part = { size: 1, index: 0, value: 1 };
    await expect(store.join('group', part, ttl)).rejects.toThrow(ConfigError);
  });

  it('listens at one address, however often it is asked for it', async () => {
    const [one, two] = [await kit.connect(), await kit.connect()];
    const [first, second] = await Promise.all([addressOf(one), addressOf(one)]);
    expect(first).toBe(second);
    expect(await addressOf(two)).not.toBe(first);
  });

  for (const state of [...passing, ...finals]) {
    it(`sends a state that is ${state.state} to the caller, as it was put`, async () => {
      const { worker, caller, reply } = await parties();
      const id = newId();

      await worker.put(id, state, ttl, reply);

      await until(async () => (await caller.get(id)) !== undefined);
      expect(await caller.get(id)).toEqual(state);
    });
  }

  it('carries values of all kinds', async () => {
    const { worker, caller, reply } = await parties();
    const told = new Map<string, unknown>();
    for (const [what, value] of Object.entries(values)) {
      await caller.watch(what, (state) => told.set(what, (state as { value?: unknown }).value));
      await worker.put(what, { state: 'done', at: 1, value }, ttl, reply);
    }
    await until(() => told.size === Object.keys(values).length);
    expect(Object.fromEntries(told)).toStrictEqual(values);
  });

  it('tells of every state in order, and of nothing after a final one', async () => {
    const { worker, caller, reply } = await parties();
    const [id, last] = [newId(), newId()];
    const told: StoredState[] = [];
    await caller.watch(id, (state) => told.push(state));

    for (const state of [...passing, finals[0]!, ...passing, ...finals]) {
      await worker.put(id, state, ttl, reply);
    }
    await worker.put(last, finals[0]!, ttl, reply);

    await until(async () => (await caller.get(last)) !== undefined);
    expect(told).toEqual([...passing, finals[0]]);
    expect(await caller.get(id)).toEqual(finals[0]);
  });

  it('tells nobody but the caller', async () => {
    const { worker, caller, reply } = await parties();
    const other = await kit.connect();
    await addressOf(other);
    const id = newId();
    let calls = 0;
    await other.watch(id, () => calls++);
    await worker.put(id, finals[0]!, ttl, reply);
    await until(async () => (await caller.get(id)) !== undefined);

    expect(await other.get(id)).toBeUndefined();
    expect(await worker.get(id)).toBeUndefined();
    expect(calls).toBe(0);
  });

  it('tells apart by what the caller asked for, and without it by the id', async () => {
    const { worker, caller, reply } = await parties();
    await worker.put('id', finals[0]!, ttl, { ...reply, correlationId: 'another' });
    await until(async () => (await caller.get('another')) !== undefined);
    expect(await caller.get('id')).toBeUndefined();
  });

  it('takes what nobody waits for, and what nobody listens for any more', async () => {
    const { worker, caller, reply } = await parties();
    await worker.put(newId(), finals[0]!, ttl);
    await caller.close();
    await worker.put(newId(), finals[0]!, ttl, reply);
    await worker.put(newId(), finals[0]!, ttl, { to: 'nobody' });
  });

  it('forgets what it is told to', async () => {
    const { worker, caller, reply } = await parties();
    const id = newId();
    await worker.put(id, finals[0]!, ttl, reply);
    await until(async () => (await caller.get(id)) !== undefined);
    await caller.forget(id);
    await caller.forget(newId());

    expect(await caller.get(id)).toBeUndefined();
  });

  it('never calls a listener again that was unsubscribed, and goes on for the others', async () => {
    const { worker, caller, reply } = await parties();
    const id = newId();
    const [one, two]: StoredState[][] = [[], []];
    const stop = await caller.watch(id, (state) => one!.push(state));
    await caller.watch(id, (state) => two!.push(state));
    await worker.put(id, passing[0]!, ttl, reply);
    await until(() => one!.length === 1 && two!.length === 1);
    stop();
    stop();
    await worker.put(id, passing[1]!, ttl, reply);
    await until(() => two!.length === 2);

    expect(one).toHaveLength(1);
  });

  it('refuses every call after it was closed, and is closed as often as one likes', async () => {
    const store = await kit.connect();
    const to = await addressOf(store);
    await Promise.all([store.close(), store.close()]);
    await store.close();

    const refused = [
      () => store.put('id', passing[0]!, ttl, { to }),
      () => addressOf(store),
      () => store.get('id'),
      () => store.watch('id', () => {}),
      () => store.forget('id'),
      () => store.join('group', { size: 1, index: 0, value: 1 }, ttl),
    ];
    for (const call of refused) await expect(call()).rejects.toThrow(ClosedError);
  });
}

async function addressOf(store: ResultStore): Promise<string> {
  const address = await store.address?.();
  if (address === undefined) throw new Error('It has no address, so it must keep its states');
  return address;
}
