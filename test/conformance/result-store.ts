import { describe } from 'vitest';
import { groupSuite } from './result-store/groups.js';
import { createKit, type ResultStoreHarness } from './result-store/kit.js';
import { replySuite } from './result-store/replies.js';
import { stateSuite } from './result-store/states.js';
import { watchSuite } from './result-store/watching.js';

export type { ResultStoreHarness } from './result-store/kit.js';

/** What is promised of every result store that keeps states. */
export function resultStoreSuite(name: string, harness: ResultStoreHarness): void {
  describe(`${name} result store`, () => {
    const kit = createKit(harness);
    describe('states', () => stateSuite(kit));
    describe('watching', () => watchSuite(kit));
    describe('groups', () => groupSuite(kit));
  });
}

/** What is promised of every result store that sends states to whoever made the call. */
export function sendingResultStoreSuite(name: string, harness: ResultStoreHarness): void {
  describe(`${name} result store`, () => replySuite(createKit(harness)));
}
