import { describe, expect, it } from 'vitest';
import { useRedis } from '../support/servers/index.js';
import { busyKeys } from './redis-rooms.js';

const server = useRedis();

describe('more rooms than a worker has places', () => {
  it('have no more than 256 of them stood in line for, and all of their tasks run', async () => {
    const { ran, most } = await busyKeys(server.url, { keys: 600, workers: 2 });

    expect(ran).toBe(600);
    expect(most).toBeGreaterThan(256);
    // Whoever has just left, for the next to have its turn, is there until Redis hears of it.
    expect(most).toBeLessThanOrEqual(2 * 256 * 1.1);
  }, 120_000);
});
