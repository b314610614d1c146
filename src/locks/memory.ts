import { type Clock, systemClock } from '../clock.js';
import type { Coordinator } from './coordinator.js';
import { MemoryParty } from './memory/party.js';
import { MemoryService } from './memory/service.js';

/** Limits within this process: the default, with nothing to install. `clock`: the machine's, unless a test has another. */
export function memoryCoordinator(options: { clock?: Clock } = {}): Coordinator {
  return new MemoryParty(new MemoryService(options.clock ?? systemClock));
}
