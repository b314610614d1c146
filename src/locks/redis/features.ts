import type { CoordinatorFeatures } from '../coordinator.js';

export const nativeFeatures: CoordinatorFeatures = {
  fair: true,
  fencing: true,
  weighted: true,
  semaphore: true,
  rate: true,
  survivesFailover: false,
  minLease: 100,
};

/** What a key can do that others lock too: nobody stands in line for it, and nobody is told when it is free. */
export const stringFeatures: CoordinatorFeatures = {
  ...nativeFeatures,
  fair: false,
  weighted: false,
  semaphore: false,
  rate: false,
};
