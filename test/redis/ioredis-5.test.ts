/** Connections by ioredis 5, and scripts over them, as they are by 6: the tests of those files once more. */
import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import { expect, it, vi } from 'vitest';
import './connection.test.js';
import './own-client.test.js';

vi.mock('ioredis', () => import('ioredis5'));

it('are made by ioredis 5 here', () => {
  expect(Redis).toBe(Redis5);
});
