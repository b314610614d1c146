import type { CallOptions, ClaimRef, Coordinator, Entered, EnterRequest } from '../coordinator.js';
import { pause } from './scripts/operators.js';
import type { RedisService } from './service.js';

type Steps = 'renew' | 'book' | 'inspect' | 'setCapacity' | 'pause' | 'evict';

/** How resources are kept: what differs between the layouts. */
export interface Layout extends Pick<Coordinator, 'features' | Steps> {
  enter(request: EnterRequest): Promise<Entered>;
  exit(claims: readonly ClaimRef[], options: CallOptions): Promise<void>;
}

/** Puts a resource on hold that is called `name` in the store. The same in all layouts. */
export async function pauseResource(
  service: RedisService,
  name: string,
  ms: number,
  { timeout, reason = '' }: CallOptions & { reason?: string },
): Promise<void> {
  const { state, ends, line } = service.keysOf(name);
  await service.run(pause, name, { keys: [state, ends, line], args: [ms, reason] }, timeout);
}
