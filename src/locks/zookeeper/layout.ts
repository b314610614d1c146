import { ConfigError } from '../../errors.js';

/**
 * How a mutex is kept: as kazoo's `Lock`, as Curator's `InterProcessMutex`, or as both at once, for whoever shares it
 * with both.
 */
export type LockLayout = (typeof lockLayouts)[number];

/** `semaphore`: as kazoo's `Semaphore`. */
export type Layout = (typeof layouts)[number];

export const lockLayouts = ['lock', 'curator', 'both'] as const;
export const layouts = [...lockLayouts, 'semaphore'] as const;

/** A lock has no room for a second, now or ever. */
export function mustBeOne(layout: Layout, resource: string, capacity: number | undefined): void {
  if (layout === 'semaphore' || capacity === undefined || capacity === 1) return;
  throw new ConfigError(
    `"${resource}" cannot have a capacity of ${capacity} in the layout '${layout}', which is that of a lock: ` +
      "declare a capacity, and no layout or 'semaphore', wherever it is used",
  );
}
