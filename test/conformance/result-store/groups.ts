import { expect, it } from 'vitest';
import { type Kit, newId, ttl, values } from './kit.js';

export function groupSuite(kit: Kit): void {
  it('gives all parts in order to the call that completes the group', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const group = newId();

    expect(await alice.join(group, { size: 3, index: 2, value: 'c' }, ttl)).toBeUndefined();
    expect(await bob.join(group, { size: 3, index: 0, value: 'a' }, ttl)).toBeUndefined();

    expect(await alice.join(group, { size: 3, index: 1, value: 'b' }, ttl)).toEqual(['a', 'b', 'c']);
  });

  it('completes a group of one at once', async () => {
    const store = await kit.connect();
    expect(await store.join(newId(), { size: 1, index: 0, value: 'only' }, ttl)).toEqual(['only']);
  });

  it('carries parts of all kinds', async () => {
    const store = await kit.connect();
    const group = newId();
    const all = Object.values(values);
    const answers: (unknown[] | undefined)[] = [];
    for (const [index, value] of all.entries()) {
      answers.push(await store.join(group, { size: all.length, index, value }, ttl));
    }

    expect(answers.at(-1)).toStrictEqual(all);
    expect(answers.slice(0, -1).every((answer) => answer === undefined)).toBe(true);
  });

  it('keeps a copy of a part', async () => {
    const store = await kit.connect();
    const group = newId();
    const value = [1];
    await store.join(group, { size: 2, index: 0, value }, ttl);
    value.push(2);

    expect(await store.join(group, { size: 2, index: 1, value: 3 }, ttl)).toEqual([[1], 3]);
  });

  it('changes nothing when a part is added again', async () => {
    const store = await kit.connect();
    const group = newId();
    await store.join(group, { size: 2, index: 0, value: 'first' }, ttl);
    expect(await store.join(group, { size: 2, index: 0, value: 'again' }, ttl)).toBeUndefined();

    expect(await store.join(group, { size: 2, index: 1, value: 'second' }, ttl)).toEqual(['first', 'second']);
  });

  it('gives nothing more once the group is complete', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const group = newId();
    for (const index of [0, 1]) await alice.join(group, { size: 2, index, value: index }, ttl);

    for (const store of [alice, bob]) {
      for (const index of [0, 1, 0, 1])
        expect(await store.join(group, { size: 2, index, value: 'late' }, ttl)).toBeUndefined();
    }
    const single = newId();
    await alice.join(single, { size: 1, index: 0, value: 1 }, ttl);
    expect(await bob.join(single, { size: 1, index: 0, value: 1 }, ttl)).toBeUndefined();
  });

  it('gives the parts exactly once, however many add them at once', async () => {
    const stores = [await kit.connect(), await kit.connect()];
    for (let round = 0; round < 20; round++) {
      const group = newId();
      const size = 8;
      const joins = Array.from({ length: 4 * size }, (_, i) => {
        const index = (i * 5 + round) % size;
        return stores[i % 2]!.join(group, { size, index, value: `part ${index}` }, ttl);
      });

      const complete = (await Promise.all(joins)).filter((parts) => parts !== undefined);

      expect(complete).toEqual([Array.from({ length: size }, (_, index) => `part ${index}`)]);
    }
  });

  it('keeps groups apart from each other and from states of the same name', async () => {
    const store = await kit.connect();
    const [one, two] = [newId(), newId()];
    await store.put(one, { state: 'started', at: 1 }, ttl);
    await store.join(one, { size: 2, index: 0, value: 1 }, ttl);
    expect(await store.join(two, { size: 2, index: 1, value: 2 }, ttl)).toBeUndefined();
    await store.forget(one);

    expect(await store.join(one, { size: 2, index: 1, value: 2 }, ttl)).toEqual([1, 2]);
  });

  it('forgets an incomplete group when its time is over', async () => {
    const store = await kit.connect();
    const group = newId();
    await store.join(group, { size: 2, index: 0, value: 'old' }, 1_000);
    await kit.pass(1_300);

    expect(await store.join(group, { size: 2, index: 1, value: 'new 1' }, ttl)).toBeUndefined();
    expect(await store.join(group, { size: 2, index: 0, value: 'new 0' }, ttl)).toEqual(['new 0', 'new 1']);
  });
}
