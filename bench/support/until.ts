import type { App } from 'lockkeeper';

/** Resolves when the condition holds: it is looked at in every turn of the event loop. */
export async function until(condition: () => unknown): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve));
}

/** Resolves when no message of the queue is left: not waiting, and in no worker's hand. */
export async function settled(app: App, queue = 'default'): Promise<void> {
  await until(async () => {
    const { ready, delayed, parked, running } = await app.broker.depth(queue);
    return ready + delayed + parked + running === 0;
  });
}

/** Resolves when so many messages of the queue are parked. */
export async function parked(app: App, count: number, queue = 'default'): Promise<void> {
  await until(async () => (await app.broker.depth(queue)).parked >= count);
}
