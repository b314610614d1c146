import { tidy } from './nodes.js';
import type { Paths } from './paths.js';
import type { Requests } from './requests.js';

/**
 * Removes the nodes of a resource if nobody uses them. It is no harm if that fails: whoever leaves next does it.
 *
 * Those of a semaphore go together or not at all: whoever stands in its queue is about to add a lease beside it. Whoever
 * comes at this very moment finds them gone, and makes them anew.
 */
export function sweep(requests: Requests, { base, queue }: Paths, isSemaphore: boolean): void {
  if (isSemaphore) requests.commit([{ remove: queue }, { remove: base }]).catch(() => {});
  // A pause makes a queue beside a lock: it was not known yet what the resource is.
  else tidy(requests, [queue, base]);
}
