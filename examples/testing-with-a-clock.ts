/** A test of a limit that takes no time: the clock stands still until it is told to go on. */
import assert from 'node:assert/strict';
import { currentTask, limited } from 'lockkeeper';
import { createTestApp } from 'lockkeeper/testing';

const test = createTestApp({ resources: { 'sms-api': { rate: '6/m' } } });
const { app } = test;

const send = app.task('send', limited('sms-api'), async (to: string) => `sent to ${to}`);
const calls = await send.delayMany([['ann'], ['bob'], ['cem']]);
const third = calls[2]!;

// Nothing runs before this. All that can run without time passing has run when it resolves.
await test.drain();
assert.equal(test.putOff(third), 20_000);
assert.equal(test.runs(third), 0);

await test.advance('20s');
assert.equal(await third.get(), 'sent to cem');

// Pauses between attempts take no time either.
const flaky = app.task('flaky', { retry: { max: 2, delay: '1m', jitter: false } }, async () => {
  if (currentTask().attempt < 3) throw new Error('not yet');
  return 'at last';
});
const call = await flaky.delay();
await test.advance('3m');
assert.equal(await call.get(), 'at last');

await test.close();
console.log(`the third call was put off by ${test.putOff(third) / 1_000} s`);
// prints: the third call was put off by 20 s
