import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CoordinatorFeatures } from '../../src/locks/coordinator.js';
import { type ZooKeeperOptions, zookeeperCoordinator } from '../../src/locks/zookeeper.js';
import type { CoordinatorHarness } from '../conformance/coordinator.js';

/** Milliseconds, as the servers of tests have it. */
export const tickTime = 250;

/** A server whose coordinators are told of its ticks: so their leases may be as short as a broker's. */
export function withTicks(server: { readonly url: string }): { readonly url: string } {
  return {
    get url() {
      return `${server.url}?tickTime=${tickTime}ms`;
    },
  };
}

export const semaphoreFeatures: CoordinatorFeatures = {
  fair: true,
  fencing: true,
  weighted: true,
  semaphore: true,
  rate: false,
  survivesFailover: true,
  minLease: 2 * tickTime,
};

/** Of a layout that is a lock's. */
export const lockFeatures: CoordinatorFeatures = { ...semaphoreFeatures, weighted: false, semaphore: false };

export interface ZooKeeperHarnessOptions extends Omit<ZooKeeperOptions, 'layout'> {
  /** Of all resources, as if it were declared with each. */
  readonly layout?: string;
  readonly histories?: number;
}

/** A server for the suite. */
export function zookeeperHarness(
  server: { readonly url: string },
  { layout, histories, ...options }: ZooKeeperHarnessOptions = {},
): CoordinatorHarness {
  return {
    features: layout === undefined ? semaphoreFeatures : lockFeatures,
    connect: async () => {
      const coordinator = zookeeperCoordinator(server.url, { tickTime, ...options });
      return layout === undefined ? coordinator : coordinator.layout!(layout);
    },
    pass: async (ms) => sleep(ms),
    name: () => `res-${randomUUID()}`,
    ...(histories !== undefined && { histories }),
  };
}

/** Not all at once: a machine with much else to do would not answer the last of them in time. */
export async function inPortions<T>(
  names: readonly string[],
  step: (name: string, i: number) => Promise<T>,
): Promise<T[]> {
  const answers: T[] = [];
  for (let from = 0; from < names.length; from += 100) {
    const portion = names.slice(from, from + 100);
    answers.push(...(await Promise.all(portion.map((name, i) => step(name, from + i)))));
  }
  return answers;
}
