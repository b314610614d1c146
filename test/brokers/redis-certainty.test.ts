import { expect, it } from 'vitest';
import type { Delivery } from '../../src/brokers/broker.js';
import { calls, done, parked, resource } from '../conformance/broker/kit.js';
import { useRedis } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { look, newQueue, open, serve } from './redis-kit.js';

const server = useRedis();

it('takes nothing before it is answered what it has, for the server may have lost the script that tells it', async () => {
  const [broker, queue] = [open(server.url), newQueue()];
  const { consumer, deliveries } = await serve(broker, queue, { concurrency: 2, lease: 60_000 });
  await broker.publish(calls(2), { queue });
  await until(() => deliveries.length === 2);
  const [waits, runs] = deliveries as [Delivery, Delivery];
  await waits.settle(parked(waits.message, { countdown: 60_000 }));
  await look(server.url).script('FLUSH');
  // Somebody else has brought the script that takes, and not the one that tells.
  const other = await serve(open(server.url), newQueue(), { lease: 60_000 });
  await until(() => other.consumer.idle > 0);
  await other.consumer.take(resource, { weight: 1 });

  consumer.returned();
  await new Promise(setImmediate);
  const settling = { delivery: runs, outcome: done };
  const taken = await consumer.take(resource, { weight: 1, settling });

  expect(taken.kind).toBe('taken');
  // Asked later than all that, by the same connection.
  expect(await broker.depth(queue)).toMatchObject({ running: 1, ready: 0, parked: 0 });
});
