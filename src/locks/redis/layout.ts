import type { CallOptions, ClaimRef, Coordinator, Entered, EnterRequest } from '../coordinator.js';

type Steps = 'renew' | 'book' | 'inspect' | 'setCapacity' | 'pause' | 'evict';

/** How resources are kept: what differs between the layouts. */
export interface Layout extends Pick<Coordinator, 'features' | Steps> {
  enter(request: EnterRequest): Promise<Entered>;
  exit(claims: readonly ClaimRef[], options: CallOptions): Promise<void>;
}
