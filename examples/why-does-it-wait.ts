/** What an operator asks and does: why a call waits and who is in its way, then more capacity for tonight. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createApp, createWorker, locked } from 'lockkeeper';

const app = createApp({ resources: { storage: { capacity: 1 } } });

let [running, most] = [0, 0];
const copy = app.task('copy', locked('storage'), async (_name: string) => {
  most = Math.max(most, ++running);
  await sleep(100);
  running--;
});
await createWorker(app, { concurrency: 10 }).start();
const calls = await copy.delayMany(Array.from({ length: 30 }, (_, i): [string] => [`file-${i}`]));
const last = calls.at(-1)!;

// The same as `lockkeeper why ID`. An estimate takes a moment of looking on.
const why = await app.operator.why(last.id, { watch: '500ms' });
const [storage] = why.resources;
console.log(`${why.task} is ${why.state}: ${why.refusedBy} was busy, ${why.ahead} come before it`);
console.log(`${storage?.used} of ${storage?.capacity} held, for ${storage?.holders[0]?.task}`);
console.log(`it starts in about ${((why.estimate ?? 0) / 1_000).toFixed(1)} s`);

// `lockkeeper locks set storage 5 --expires 8h`: counts for every worker there is, at once.
await app.locks.setCapacity('storage', 5, { expiresIn: '8h', reason: 'the backlog of Friday' });
await Promise.all(calls.map((call) => call.get({ timeout: '10s' })));
console.log(`all copied, ${most} at once`);
await app.close();
// prints: all copied, 5 at once
