import fc from 'fast-check';
import type { History, Step } from './history.js';

const resources = 3;

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('publish' as const),
      task: fc.nat(3),
      count: fc.integer({ min: 1, max: 12 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 2_500 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom('crash' as const, 'stop' as const), worker: fc.nat(4) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('start' as const),
      concurrency: fc.integer({ min: 1, max: 5 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('capacity' as const),
      resource: fc.nat(resources - 1),
      capacity: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('pause' as const),
      resource: fc.nat(resources - 1),
      ms: fc.integer({ min: 1, max: 3_000 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('evict' as const), resource: fc.nat(resources - 1) }),
  },
);

/** Random histories in which nothing is impossible: no weight is above its capacity. */
export const histories: fc.Arbitrary<History> = fc
  .array(fc.integer({ min: 1, max: 4 }), { minLength: resources, maxLength: resources })
  .chain((capacities) =>
    fc.record({
      capacities: fc.constant(capacities),
      rate: fc.record({ limit: fc.integer({ min: 5, max: 50 }), burst: fc.integer({ min: 1, max: 5 }) }),
      tasks: fc.array(
        fc.record({
          permits: fc.uniqueArray(fc.nat(resources - 1), { maxLength: resources }).chain((which) =>
            fc.tuple(
              ...which.map((resource) =>
                fc.record({
                  resource: fc.constant(resource),
                  weight: fc.integer({ min: 1, max: capacities[resource]! }),
                }),
              ),
            ),
          ),
          rated: fc.boolean(),
          takes: fc.constantFrom(0, 1, 20, 300, 1_500),
          fails: fc.boolean(),
        }),
        { minLength: 1, maxLength: 4 },
      ),
      workers: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 3 }),
      steps: fc.array(step, { maxLength: 25 }),
    }),
  );
