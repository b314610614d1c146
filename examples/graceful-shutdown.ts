/** A worker that stops at SIGTERM: what is nearly done ends, what is not is put back, and nothing is lost. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createApp, createWorker, currentTask, locked } from 'lockkeeper';

const app = createApp({ resources: { storage: { capacity: 2 } } });

const copy = app.task('copy', locked('storage'), async (name: string, ms: number) => {
  const { signal, attempt } = currentTask();
  // A body that can stop halfway hands the signal on. This one is told when the drain time is over.
  await sleep(ms, undefined, { signal });
  return `${name} at attempt ${attempt}`;
});

app.on('task.lost', ({ cause }) => console.log(`put back because of a ${cause}`));

// `run()` starts, stops at SIGTERM or SIGINT, and resolves when it has stopped.
const worker = createWorker(app, { drain: '400ms', abortGrace: '200ms' });
const stopped = worker.run();

const quick = await copy.delay('quick', 100);
const slow = await copy.delay('slow', 900);
while (worker.running < 2) await sleep(1);

process.kill(process.pid, 'SIGTERM');
await stopped;
console.log(await quick.get(), '/', await slow.state);

// Another worker, here or elsewhere, runs what was put back. It is still the first attempt.
await createWorker(app).start();
console.log(await slow.get({ timeout: '10s' }));
await app.close();
// prints: slow at attempt 1
