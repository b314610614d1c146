/** An app whose broker is long in coming. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createApp, memoryBroker } from 'lockkeeper';

const broker = memoryBroker();
const consume = broker.consume.bind(broker);
broker.consume = async (...args) => {
  await sleep(1_000);
  return await consume(...args);
};

export const app = createApp({ broker });
app.task('save', () => {});
