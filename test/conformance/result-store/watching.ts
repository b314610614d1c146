import { expect, it, onTestFinished, vi } from 'vitest';
import type { StoredState } from '../../../src/results/result-store.js';
import { until } from '../../support/until.js';
import { finals, type Kit, newId, passing, ttl } from './kit.js';

export function watchSuite(kit: Kit): void {
  it('tells of every state that another party puts, in order', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const id = newId();
    const told: StoredState[] = [];
    await bob.watch(id, (state) => told.push(state));

    const states = [...passing, finals[0]!];
    for (const state of states) await alice.put(id, state, ttl);

    await until(() => told.length === states.length);
    expect(told).toEqual(states);
  });

  it('is sure to tell of what is put once watching resolved, also by the same party', async () => {
    const store = await kit.connect();
    for (let i = 0; i < 50; i++) {
      const id = newId();
      const told: StoredState[] = [];
      await store.watch(id, (state) => told.push(state));
      await store.put(id, finals[0]!, ttl);
      await until(() => told.length === 1);
    }
  });

  it('does not tell of what was put before', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const id = newId();
    await alice.put(id, passing[0]!, ttl);
    const told: StoredState[] = [];
    await bob.watch(id, (state) => told.push(state));
    await alice.put(id, passing[2]!, ttl);

    await until(() => told.length > 0);

    expect(told).toEqual([passing[2]]);
  });

  it('does not tell of other tasks', async () => {
    const store = await kit.connect();
    const id = newId();
    const told: StoredState[] = [];
    await store.watch(id, (state) => told.push(state));
    await store.put(`${id}*`, passing[0]!, ttl);
    await store.put(newId(), passing[0]!, ttl);
    await kit.quiet();

    expect(told).toEqual([]);
  });

  it('does not tell of a state that came too late to count', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const id = newId();
    const told: StoredState[] = [];
    await bob.watch(id, (state) => told.push(state));

    await alice.put(id, finals[0]!, ttl);
    await alice.put(id, passing[0]!, ttl);
    await alice.put(id, finals[1]!, ttl);
    await until(() => told.length > 0);
    await kit.quiet();

    expect(told).toEqual([finals[0]]);
  });

  it('calls nobody from within the call that puts', async () => {
    const store = await kit.connect();
    const id = newId();
    const told: StoredState[] = [];
    await store.watch(id, (state) => told.push(state));

    const put = store.put(id, passing[0]!, ttl);
    expect(told).toEqual([]);

    await put;
    await until(() => told.length === 1);
  });

  it('never calls a listener again that was unsubscribed, and goes on for the others', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const id = newId();
    const [one, two]: StoredState[][] = [[], []];
    const listener = (state: StoredState) => one!.push(state);
    const stop = await bob.watch(id, listener);
    await bob.watch(id, (state) => two!.push(state));
    await alice.put(id, passing[0]!, ttl);
    await until(() => one!.length === 1);

    const last = alice.put(id, passing[1]!, ttl);
    stop();
    stop();
    await last;
    await alice.put(id, passing[2]!, ttl);
    await until(() => two!.length === 3);

    expect(one).toHaveLength(1);
  });

  it('does not call a listener that another one has just unsubscribed', async () => {
    const store = await kit.connect();
    const id = newId();
    const told: string[] = [];
    const stops: (() => void)[] = [];
    for (const name of ['one', 'two']) {
      stops.push(
        await store.watch(id, () => {
          told.push(name);
          for (const stop of stops) stop();
        }),
      );
    }

    await store.put(id, passing[0]!, ttl);
    await until(() => told.length > 0);
    await kit.quiet();

    expect(told).toHaveLength(1);
  });

  it('calls a listener as often as it watches', async () => {
    const store = await kit.connect();
    const id = newId();
    let calls = 0;
    const listener = () => void calls++;
    const stop = await store.watch(id, listener);
    await store.watch(id, listener);

    await store.put(id, passing[0]!, ttl);
    await until(() => calls === 2);
    stop();
    await store.put(id, passing[0]!, ttl);
    await until(() => calls === 3);
    await kit.quiet();

    expect(calls).toBe(3);
  });

  it('gives every listener a copy of its own', async () => {
    const store = await kit.connect();
    const id = newId();
    const told: number[][] = [];
    const listener = (state: StoredState) => {
      const { value } = state as { value: { list: number[] } };
      told.push([...value.list]);
      value.list.push(9);
    };
    await store.watch(id, listener);
    await store.watch(id, listener);

    await store.put(id, { state: 'done', at: 1, value: { list: [1] } }, ttl);
    await until(() => told.length === 2);

    expect(told).toEqual([[1], [1]]);
    expect(await store.get(id)).toEqual({ state: 'done', at: 1, value: { list: [1] } });
  });

  it('is not harmed by a listener that throws or rejects', async () => {
    // Where such an error is reported is nobody's business here, and the output of the tests is no place for it.
    const warnings = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    onTestFinished(() => warnings.mockRestore());
    const store = await kit.connect();
    const id = newId();
    const told: StoredState[] = [];
    await store.watch(id, () => {
      throw new Error('a listener of this test');
    });
    const rejecting: () => unknown = () => Promise.reject(new Error('another listener of this test'));
    await store.watch(id, rejecting);
    await store.watch(id, (state) => told.push(state));

    await store.put(id, passing[0]!, ttl);
    await store.put(id, passing[1]!, ttl);

    await until(() => told.length === 2);
    expect(await store.get(id)).toEqual(passing[1]);
  });
}
