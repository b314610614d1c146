/** A worker of BullMQ, as locks are added to one mostly: it tries, and is delayed by a second when it is refused. */
import { DelayedError, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { Semaphore } from 'redis-semaphore';
import { Diary, serve } from './crew.js';

/** Milliseconds. */
const countdown = 1_000;

serve(async (part) => {
  const { hostname: host, port } = new URL(part.broker);
  const connection = { host, port: Number(port), maxRetriesPerRequest: null };
  const client = new Redis(part.coordinator);
  const diary = new Diary(part);
  let [deliveries, coordinatorCalls] = [0, 0];
  const worker = new Worker<{ index: number }>(
    part.name,
    async (job, token) => {
      deliveries++;
      const semaphore = new Semaphore(client, part.name, part.capacity, {
        lockTimeout: 15_000,
        acquireAttemptsLimit: 1,
      });
      coordinatorCalls++;
      if (!(await semaphore.tryAcquire())) {
        await job.moveToDelayed(Date.now() + countdown, token);
        throw new DelayedError();
      }
      await diary.body(job.data.index);
      coordinatorCalls++;
      await semaphore.release();
    },
    { connection, concurrency: part.slots },
  );
  await worker.waitUntilReady();
  return async () => {
    await worker.close();
    client.disconnect();
    return diary.deeds({ deliveries, coordinatorCalls });
  };
});
