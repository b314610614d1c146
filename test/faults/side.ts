import { randomUUID } from 'node:crypto';
import { createLocks, type Locks } from 'lockkeeper';
import type { Coordinator } from '../../src/locks/coordinator.js';
import { soon } from '../conformance/coordinator/kit.js';
import { startProxy, type TcpProxy } from '../support/proxy.js';

/** A process's worth of locks, which reaches each server through a proxy of its own. */
export class Side {
  readonly proxies: readonly TcpProxy[];
  readonly coordinator: Coordinator;
  readonly locks: Locks;

  constructor(proxies: readonly TcpProxy[], coordinator: Coordinator, resources: Record<string, object>) {
    this.proxies = proxies;
    this.coordinator = coordinator;
    this.locks = createLocks({ coordinator, resources });
  }

  all(step: (proxy: TcpProxy) => unknown): void {
    for (const proxy of this.proxies) void step(proxy);
  }

  async close(): Promise<void> {
    await this.locks.close();
    await this.coordinator.close();
    this.all((proxy) => proxy.stop());
  }
}

/** Puts a proxy before every server that the URL names. */
export async function throughProxies(
  url: string,
): Promise<{ readonly url: string; readonly proxies: readonly TcpProxy[] }> {
  const ports = [...url.matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port));
  const proxies = await Promise.all(ports.map((port) => startProxy(port)));
  return { url: proxies.reduce((reached, proxy) => proxy.url(reached), url), proxies };
}

/** Of a coordinator that `open` makes of a URL. */
export async function openSide(
  url: string,
  open: (url: string) => Coordinator,
  resources: Record<string, object> = {},
): Promise<Side> {
  const through = await throughProxies(url);
  return new Side(through.proxies, open(through.url), resources);
}

export function newName(): string {
  return `fault-${randomUUID()}`;
}

/** How many hold a resource, and how many wait for it, as another side sees it. */
export async function counts(
  coordinator: Coordinator,
  resource: string,
): Promise<{ readonly holders: number; readonly waiting: number }> {
  const { holders, waiting } = await coordinator.inspect(resource, soon);
  return { holders: holders.length, waiting: waiting.length };
}

/** Whether nothing is left of a resource, as another side sees it. */
export async function nothingLeft(coordinator: Coordinator, resource: string): Promise<boolean> {
  const { holders, waiting } = await counts(coordinator, resource);
  return holders + waiting === 0;
}
