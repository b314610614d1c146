import { describe, expect, it } from 'vitest';
import type { ZooKeeperClient } from '../../src/locks/zookeeper/client.js';
import { Requests } from '../../src/locks/zookeeper/requests.js';

/** On a client whose every request is refused with an error of this name. */
function refused(name: string): Requests {
  const queue = (_: unknown, done: (error: unknown) => void) => done({ name });
  const client = { connectionManager: { queue } } as unknown as ZooKeeperClient;
  return new Requests(
    client,
    () => true,
    () => {},
  );
}

const operations = [{ remove: '/here' }, { remove: '/there' }];

describe('a transaction that is refused as a whole', () => {
  it('for a node that is not there has done nothing', async () => {
    expect(await refused('NO_NODE').commit(operations)).toEqual({ done: false });
  });

  it('for anything else has failed', async () => {
    await expect(refused('SESSION_EXPIRED').commit(operations)).rejects.toMatchObject({
      reason: 'SESSION_EXPIRED',
    });
  });
});
