import { describe, expect, it } from 'vitest';
import { useRedis } from '../support/servers/index.js';
import { busyKeys } from './redis-rooms.js';

const server = useRedis();

describe('more rooms than a worker has places', () => {
  it('have no more than 256 of them stood in line for, and all of their tasks run', async () => {
    const { ran, places } = await busyKeys(server.url, { keys: 400, workers: 2 });

    expect(ran).toBe(400);
    expect(places).toBeLessThanOrEqual(2 * 256);
  }, 120_000);
});
