import { randomUUID } from 'node:crypto';
import { afterEach } from 'vitest';
import type { ResultStore, StoredState } from '../../../src/results/result-store.js';

/** What the suite needs to know of a result store to put it to the test. */
export interface ResultStoreHarness {
  /** A party with a connection of its own to the same service. */
  connect(): Promise<ResultStore>;
  /** Lets milliseconds pass, on a clock that is moved by hand or in truth. */
  pass(ms: number): Promise<void>;
  /** After every test, when all that it opened is closed. */
  cleanup?(): Promise<void>;
}

export interface Kit extends Omit<ResultStoreHarness, 'cleanup'> {
  /** Long enough for whatever should not happen to have happened. */
  quiet(): Promise<void>;
}

/** Registers what ends a test: nothing that was opened stays open. */
export function createKit(harness: ResultStoreHarness): Kit {
  const opened: ResultStore[] = [];

  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close();
    await harness.cleanup?.();
  });

  return {
    pass: (ms) => harness.pass(ms),
    quiet: () => harness.pass(200),
    async connect() {
      const store = await harness.connect();
      opened.push(store);
      return store;
    },
  };
}

export const newId = (): string => randomUUID();

/** Longer than any test lasts. */
export const ttl = 600_000;

export const error = {
  name: 'TypeError',
  message: 'no ä',
  stack: 'TypeError: no ä\n    at there',
  code: 'E_NO',
};

export const passing: readonly StoredState[] = [
  { state: 'started', at: 1 },
  { state: 'started', at: 2, progress: { done: 3, of: 10 } },
  { state: 'deferred', at: 3, resource: 'printer' },
  { state: 'retrying', at: 4, error },
  { state: 'aside', at: 5, reason: 'poison' },
];

export const finals: readonly StoredState[] = [
  { state: 'done', at: 1_700_000_000_000, value: { deep: [1, null] } },
  { state: 'failed', at: 2, error },
  { state: 'skipped', at: 3, reason: 'busy' },
  { state: 'expired', at: 4 },
  { state: 'revoked', at: 5 },
];

/** Whatever a task may return, and what becomes of it on its way. */
export const values: Record<string, unknown> = {
  null: null,
  undefined: undefined,
  true: true,
  false: false,
  zero: 0,
  'a negative fraction': -1.25,
  'a large number': Number.MAX_SAFE_INTEGER,
  'an empty text': '',
  'a text': 'ä 😀 \n \0 "quoted" \u2028',
  'a text that looks like JSON': '{"a":1}',
  'an empty list': [],
  'a list': [1, [null, 'two'], { three: 3 }],
  'an empty object': {},
  'an object': { a: { b: [{ c: null }] }, '': 1, __x__: '__proto__' },
  'a large text': 'é'.repeat(200_000),
};
