import fc from 'fast-check';
import { it } from 'vitest';
import { History, type Step } from './history.js';
import type { Kit } from './kit.js';

/** Random steps of two parties on one resource. */
export function modelSuite(kit: Kit): void {
  const { features, histories = 10 } = kit;
  const capacity = features.semaphore ? 3 : 1;
  const claim = fc.nat({ max: 7 });
  const party = fc.nat({ max: 1 });
  const enter = fc.record({
    kind: fc.constant('enter' as const),
    party,
    claim,
    weight: features.weighted ? fc.integer({ min: 1, max: capacity }) : fc.constant(1),
    line: features.fair ? fc.boolean() : fc.constant(false),
  });
  const kind = fc.constantFrom('exit' as const, 'renew' as const, 'evict' as const);
  const time = fc.record({ kind: fc.constant('time' as const), leases: fc.constantFrom(0.3, 0.6, 2) });
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 12, arbitrary: enter },
    { weight: 8, arbitrary: fc.record({ kind, party, claim }) },
    { weight: 1, arbitrary: time },
  );

  it('keeps its promises, whatever happens in whatever order', { timeout: 120_000 }, async () => {
    const parties = await kit.parties();
    const steps = fc.array(step, { minLength: 10, maxLength: 50 });
    const property = fc.asyncProperty(steps, (steps) => new History(kit, parties, capacity).run(steps));
    await fc.assert(property, { numRuns: histories, endOnFailure: histories <= 10 });
  });
}
