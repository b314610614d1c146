import zookeeper from 'node-zookeeper-client';
import { describe, expect, it } from 'vitest';
import { until } from '../until.js';
import { ask } from './ask.js';
import { useZooKeeper, useZooKeeperEnsemble } from './index.js';

/** Does something in a session of its own. */
async function inSession<T>(url: string, act: (client: zookeeper.Client) => Promise<T>): Promise<T> {
  const client = zookeeper.createClient(url.replace('zk://', ''), { sessionTimeout: 2_000 });
  const connected = new Promise<void>((resolve) => client.once('connected', resolve));
  client.connect();
  await connected;
  try {
    return await act(client);
  } finally {
    client.close();
  }
}

const create = (url: string, path: string): Promise<string> =>
  inSession(
    url,
    (client) =>
      new Promise((resolve, reject) =>
        client.create(path, (error, created) => (error ? reject(error) : resolve(created))),
      ),
  );

const exists = (url: string, path: string): Promise<boolean> =>
  inSession(
    url,
    (client) =>
      new Promise((resolve, reject) =>
        client.exists(path, (error, stat) => (error ? reject(error) : resolve(Boolean(stat)))),
      ),
  );

const isServing = async (port: number): Promise<boolean> =>
  (await ask({ port, text: 'srvr' })).includes('Mode:');

describe('a ZooKeeper', () => {
  const server = useZooKeeper();

  it('is silent while frozen', async () => {
    await server.freeze();
    await expect(ask({ port: server.port, text: 'ruok' })).rejects.toThrow('No answer');
    await server.thaw();
    expect(await ask({ port: server.port, text: 'ruok' })).toBe('imok');
  });

  it('is gone when killed, and comes back with its data', async () => {
    expect(await create(server.url, '/kept')).toBe('/kept');
    await server.kill();
    await expect(ask({ port: server.port, text: 'ruok' })).rejects.toThrow('ECONNREFUSED');
    await server.restart();
    expect(await exists(server.url, '/kept')).toBe(true);
  });
});

describe('an ensemble of ZooKeepers', () => {
  const ensemble = useZooKeeperEnsemble();

  it('is one, and goes on without one', async () => {
    const [first, second, third] = ensemble.nodes;
    await create(first!.url, '/kept');
    await inSession(third!.url, async () => {});
    await first!.kill();
    await until(() => isServing(second!.port), 15_000);
    expect(await exists(second!.url, '/kept')).toBe(true);
    await first!.restart();
    await until(() => exists(first!.url, '/kept'), 10_000);
  });
});
