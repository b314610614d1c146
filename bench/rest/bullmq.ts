/** A worker of BullMQ with nothing to do, in a process of its own. */
import { Worker } from 'bullmq';

interface Order {
  readonly broker: string;
  readonly queue: string;
  readonly slots: number;
}

process.on('message', (order: Order) => void start(order));
process.once('disconnect', () => process.exit());

async function start({ broker, queue, slots }: Order): Promise<void> {
  const { hostname: host, port } = new URL(broker);
  const connection = { host, port: Number(port), maxRetriesPerRequest: null };
  const worker = new Worker(queue, async () => {}, { connection, concurrency: slots });
  await worker.waitUntilReady();
  process.send?.('ready');
}
