import { describe } from 'vitest';
import { closingSuite } from './coordinator/closing.js';
import { declarationSuite } from './coordinator/declarations.js';
import { evictionSuite } from './coordinator/evictions.js';
import { inspectionSuite } from './coordinator/inspection.js';
import { type CoordinatorHarness, createKit } from './coordinator/kit.js';
import { leaseSuite } from './coordinator/leases.js';
import { lineSuite } from './coordinator/line.js';
import { lostStartSuite } from './coordinator/lost-starts.js';
import { modelSuite } from './coordinator/model.js';
import { nameSuite } from './coordinator/names.js';
import { overrideSuite } from './coordinator/overrides.js';
import { pauseSuite } from './coordinator/pauses.js';
import { permitSuite } from './coordinator/permits.js';
import { placeSuite } from './coordinator/places.js';
import { bookingSuite, noRateSuite } from './coordinator/rates.js';
import { redeliverySuite } from './coordinator/redelivery.js';
import { wakeSuite } from './coordinator/wakes.js';

export type { CoordinatorHarness } from './coordinator/kit.js';

/**
 * What is promised of every coordinator.
 *
 * Where coordinators may differ they say so by their `features`, and by nothing else.
 */
export function coordinatorSuite(name: string, harness: CoordinatorHarness): void {
  const { fair, rate, semaphore } = harness.features;
  describe(`${name} coordinator`, () => {
    const kit = createKit(harness);
    describe('permits', () => permitSuite(kit));
    describe('leases', () => leaseSuite(kit));
    describe('redelivery', () => redeliverySuite(kit));
    describe('declarations', () => declarationSuite(kit));
    if (fair) describe('line', () => lineSuite(kit));
    if (fair) describe('places', () => placeSuite(kit));
    describe('wake', () => wakeSuite(kit));
    if (semaphore) describe('overrides', () => overrideSuite(kit));
    describe('pauses', () => pauseSuite(kit));
    describe('evictions', () => evictionSuite(kit));
    describe('inspection', () => inspectionSuite(kit));
    describe('rates', () => (rate ? bookingSuite(kit) : noRateSuite(kit)));
    if (rate) describe('lost starts', () => lostStartSuite(kit));
    describe('names', () => nameSuite(kit));
    describe('closing', () => closingSuite(kit));
    describe('random histories', () => modelSuite(kit));
  });
}
