/** The coordinator by ioredis 5, as it is by 6: the whole suite once more. */
import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import { expect, it, vi } from 'vitest';
import './redis.test.js';

vi.mock('ioredis', () => import('ioredis5'));

it('is on ioredis 5 here', () => {
  expect(Redis).toBe(Redis5);
});
