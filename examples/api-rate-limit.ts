/** A rate for an API, and a pause for everybody when the API answers 429 with a Retry-After. */
import { createApp, createWorker, currentTask, limited } from 'lockkeeper';

/** Stands for an API that has had enough after three calls, and for 400 ms after that. */
class Api {
  refusals = 0;
  #calls = 0;
  #closedUntil = 0;

  post(): { status: number; retryAfterMs?: number } {
    const now = performance.now();
    if (++this.#calls === 4) this.#closedUntil = now + 400;
    if (now >= this.#closedUntil) return { status: 200 };
    this.refusals++;
    return { status: 429, retryAfterMs: this.#closedUntil - now };
  }
}

const app = createApp({
  // Twenty a second, evenly, of which two may come at once.
  resources: { 'sms-api': { rate: '20/s', burst: 2 } },
});
const api = new Api();

const send = app.task('send', limited('sms-api'), async (to: string) => {
  const { status, retryAfterMs } = api.post();
  if (retryAfterMs !== undefined) {
    // From here on nobody starts, in no worker, until the time is over. Starts that were booked meanwhile are booked anew.
    await app.locks.pause('sms-api', retryAfterMs, { reason: `the API said ${status}` });
    // This call comes back by itself. It is no failure, and uses no attempt.
    currentTask().defer(retryAfterMs);
  }
  return `sent to ${to}`;
});

await createWorker(app).start();
const calls = await send.delayMany(['ann', 'bob', 'cem', 'dot', 'eve', 'fay'].map((name) => [name]));
const sent = await Promise.all(calls.map((call) => call.get({ timeout: '10s' })));
await app.close();

console.log(`${sent.length} sent, though the API refused ${api.refusals}`);
// prints: 6 sent, though the API refused 1
