import { describe, expect, it } from 'vitest';
import { Heap, type Place } from '../../src/brokers/memory/heap.js';

describe('heap', () => {
  it('gives back what is first, whatever was taken out of its middle', () => {
    for (let round = 0; round < 200; round++) {
      const heap = new Heap<number>((a, b) => a < b);
      const places: Place<number>[] = [];
      for (let i = 0; i < round; i++) places.push(heap.push(Math.floor(Math.random() * 50)));
      const gone = places.filter(() => Math.random() < 0.5);
      for (const place of [...gone, ...gone]) heap.remove(place);
      const expected = places.filter((place) => !gone.includes(place)).map(({ value }) => value);

      expect(heap.size).toBe(expected.length);
      const given = expected.map(() => heap.shift());
      expect(given).toEqual(expected.sort((a, b) => a - b));
      expect(heap.shift()).toBeUndefined();
    }
  });
});
