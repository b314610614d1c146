/** One of our workers. */
import { createApp, createWorker, locked } from 'lockkeeper';
import { CountedParts } from '../support/counted.js';
import { Diary, type Part, serve } from './crew.js';

serve(async (part) => {
  const parts = new CountedParts(part);
  const { broker, coordinator } = parts;
  const app = createApp({ broker, coordinator, resources: resourcesOf(part) });
  const diary = new Diary(part);
  app.task('work', { queue: part.name, limits: [locked(part.name)] }, diary.body);
  const worker = createWorker(app, { concurrency: part.slots, queues: [part.name] });
  await worker.start();
  return async () => {
    await app.close();
    await parts.close();
    return diary.deeds(parts);
  };
});

function resourcesOf({ name, capacity }: Part) {
  return { [name]: { capacity } };
}
