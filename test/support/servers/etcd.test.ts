import { describe, expect, it } from 'vitest';
import { until } from '../until.js';
import { type SingleServer, useEtcd, useEtcdCluster } from './index.js';

/** Calls the gateway that speaks JSON. Bytes are in base64. */
async function call(node: SingleServer, method: string, body: object, timeoutMs = 5_000): Promise<any> {
  const answer = await fetch(`http://127.0.0.1:${node.port}/v3/${method}`, {
    method: 'POST',
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(timeoutMs),
  });
  return answer.json();
}

const key = btoa('kept');
const put = (node: SingleServer, text: string): Promise<unknown> =>
  call(node, 'kv/put', { key, value: btoa(text) });
const get = async (node: SingleServer): Promise<string> =>
  atob((await call(node, 'kv/range', { key }))?.kvs?.[0]?.value);

describe('an etcd', () => {
  const etcd = useEtcd();

  it('is silent while frozen', async () => {
    await etcd.freeze();
    await expect(call(etcd, 'kv/range', { key }, 300)).rejects.toThrow('timeout');
    await etcd.thaw();
    expect(await call(etcd, 'kv/range', { key })).toHaveProperty('header');
  });

  it('is gone when killed, and comes back with its data', async () => {
    await put(etcd, 'a');
    await etcd.kill();
    await expect(get(etcd)).rejects.toThrow('fetch failed');
    await etcd.restart();
    expect(await get(etcd)).toBe('a');
  });
});

describe('three nodes of etcd', () => {
  const etcd = useEtcdCluster();

  it('are one, and go on without one', async () => {
    const [first, second, third] = etcd.nodes as [SingleServer, SingleServer, SingleServer];
    await put(first, 'a');
    expect(await get(third)).toBe('a');
    await first.kill();
    await until(() => put(second, 'b'), 15_000);
    await first.restart();
    expect(await get(first)).toBe('b');
    expect(etcd.url).toBe(`etcd://${etcd.ports.map((port) => `127.0.0.1:${port}`).join(',')}`);
  });

  it('come back together with their data', async () => {
    await put(etcd.nodes[0]!, 'c');
    await etcd.restart();
    expect(await get(etcd.nodes[2]!)).toBe('c');
  });
});
