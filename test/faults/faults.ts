import { setTimeout as sleep } from 'node:timers/promises';
import type { TcpProxy } from '../support/proxy.js';
import type { SingleServer } from '../support/servers/index.js';

/** What faults happen to. */
export interface Stage {
  readonly nodes: readonly SingleServer[];
  /** Each side reaches each node through a proxy of its own. */
  readonly sides: readonly { readonly proxies: readonly TcpProxy[] }[];
  /** Milliseconds. Faults last from a moment to twice as long. */
  readonly lease: number;
  /** What some requests to change something contain. */
  readonly marker: string;
}

/** Something that goes wrong, and is right again when it resolves. */
export type Fault<S extends Stage = Stage> = (stage: S) => Promise<void>;

export const between = (least: number, most: number) => least + Math.random() * (most - least);
export const oneOf = <T>(all: readonly T[]): T => all[Math.floor(Math.random() * all.length)] as T;

const aWhile = ({ lease }: Stage) => sleep(between(0.1, 2) * lease);

export async function withNode(stage: Stage, node: SingleServer, what: 'freeze' | 'kill'): Promise<void> {
  await node[what]();
  await aWhile(stage);
  if (what === 'freeze') await node.thaw();
  else await node.restart();
}

/** For all proxies of one side. */
async function withSide(
  stage: Stage,
  begin: (proxy: TcpProxy) => unknown,
  end: (proxy: TcpProxy) => unknown,
): Promise<void> {
  const { proxies } = oneOf(stage.sides);
  await Promise.all(proxies.map(begin));
  await aWhile(stage);
  await Promise.all(proxies.map(end));
}

const resume = (proxy: TcpProxy) => proxy.resume();

export const faults: Readonly<Record<string, Fault>> = {
  'a side is cut off in silence': (stage) => withSide(stage, (proxy) => proxy.pause(), resume),
  'a side is not heard': (stage) => withSide(stage, (proxy) => proxy.pause('requests'), resume),
  'a side hears nothing': (stage) => withSide(stage, (proxy) => proxy.pause('replies'), resume),
  'a side is refused': (stage) =>
    withSide(
      stage,
      (proxy) => proxy.stop(),
      (proxy) => proxy.accept(),
    ),
  'a side is slow': (stage) =>
    withSide(
      stage,
      (proxy) => proxy.delay(between(20, 300)),
      (proxy) => proxy.delay(0),
    ),
  'connections are reset': async ({ sides }) => {
    for (let i = 0; i < 5; i++) {
      for (const proxy of oneOf(sides).proxies) proxy.cut();
      await sleep(between(1, 50));
    }
  },
  'answers are lost': async ({ sides, marker }) => {
    for (let i = 0; i < 5; i++) {
      for (const proxy of oneOf(sides).proxies) void proxy.dropReply(marker);
      await sleep(between(50, 200));
    }
  },
  'a server freezes': (stage) => withNode(stage, oneOf(stage.nodes), 'freeze'),
  'a server is killed': (stage) => withNode(stage, oneOf(stage.nodes), 'kill'),
  'most servers freeze': async (stage) => {
    await Promise.all(stage.nodes.slice(1).map((node) => withNode(stage, node, 'freeze')));
  },
  'this process stalls': async ({ lease }) => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, between(0.1, 2) * lease);
  },
};
