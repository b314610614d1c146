/** Tasks on Redis while everything goes wrong, and delayed ones */
import { readFlags } from '../../bench/support/flags.js';
import { RedisBroker } from '../../src/brokers/redis.js';
import { type DelayedResult, delayedForLong, manyDelayed } from '../faults/broker/delays.js';
import { type FaultHarness, Play } from '../faults/broker/play.js';
import { type Scenario, scenariosOn } from '../faults/broker/scenarios.js';
import { startRedis } from '../support/servers/index.js';

const { tasks: count, only } = readFlags('Tasks on Redis while everything goes wrong, and delayed ones.', {
  tasks: { default: 10_000, help: 'tasks for each' },
  only: { default: '', help: 'only what matches this pattern' },
});
const wanted = new RegExp(only);
const scale = Math.min(1, count / 10_000);

/** How often each goes wrong, if not ten times. */
const times: Readonly<Record<string, number>> = {
  'connections are cut': 200,
  'answers to fetching and settling are lost': 50,
  'workers are killed with -9': 50,
  'workers are killed with -9 while their resource is busy': 50,
};

await using server = await startRedis({ persist: true });
const harness: FaultHarness = {
  server,
  connect: (url) => new RedisBroker(url),
  keepsHand: true,
  marker: 'evalsha',
};

async function playing(name: string, scenario: Scenario, amount: { count: number; times: number }) {
  if (!wanted.test(name)) return;
  const play = new Play(harness, amount);
  const begun = performance.now();
  let wrong: string[];
  try {
    wrong = await scenario(play);
  } catch (error) {
    wrong = [String(error)];
  } finally {
    await play.end();
  }
  const seconds = Math.round((performance.now() - begun) / 1_000);
  console.log(`${name}, ${amount.times} times, in ${seconds} s: ${play.summary()}`);
  for (const one of wrong) console.log(`  WRONG: ${one}`);
  if (wrong.length > 0) process.exitCode = 1;
}

const mb = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MB`;
const ms = (value: number) => `${Math.round(value)} ms`;

function told({ growth, share, late }: DelayedResult): string {
  const grew = growth.map(mb).join(' and ');
  const halves = `${Math.round(100 * share)} to ${Math.round(100 * (1 - share))}`;
  return (
    `workers grew by ${grew} while they wait, started ${halves} of 100, ` +
    `late by ${ms(late.p50)} at the median, ${ms(late.p99)} at p99, ${ms(late.most)} at most`
  );
}

const manyAtOnce = (over: number): Scenario => {
  return async (play) => {
    const result = await manyDelayed(play, { after: Math.max(2_000, play.amount.count / 5), over });
    console.log(`  ${told(result)}`);
    const flat = result.growth.every((bytes) => bytes < 10 * 2 ** 20);
    return flat ? result.wrong : [...result.wrong, 'the workers grew'];
  };
};

for (const [name, scenario] of Object.entries(scenariosOn(harness))) {
  const often = Math.max(2, Math.round((times[name] ?? 10) * scale));
  await playing(`${count} tasks; ${name}`, scenario, { count, times: often });
}
await playing('10 tasks delayed for three leases', delayedForLong, { count: 10, times: 1 });
const delayed = 10 * count;
const seconds = Math.ceil(delayed / 1_000);
await playing(`${delayed} delayed, due over ${seconds} s`, manyAtOnce(seconds * 1_000), {
  count: delayed,
  times: 1,
});
await playing(`${delayed} delayed, due at once`, manyAtOnce(1), { count: delayed, times: 1 });
