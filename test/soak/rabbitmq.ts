/** Tasks on RabbitMQ while everything goes wrong, and rooms that come and go */
import { readFlags } from '../../bench/support/flags.js';
import type { Delivery } from '../../src/brokers/broker.js';
import { RabbitmqBroker } from '../../src/brokers/rabbitmq.js';
import { calls, done, parked } from '../conformance/broker/kit.js';
import { type FaultHarness, Play } from '../faults/broker/play.js';
import { type Scenario, scenariosOn } from '../faults/broker/scenarios.js';
import { startRabbitMq, startRedis } from '../support/servers/index.js';
import { until } from '../support/until.js';

const { tasks: count, only } = readFlags('Tasks on RabbitMQ while everything goes wrong.', {
  tasks: { default: 10_000, help: 'tasks for each' },
  only: { default: '', help: 'only what matches this pattern' },
});
const wanted = new RegExp(only);
const scale = Math.min(1, count / 10_000);

/** How often each goes wrong, if not ten times. */
const times: Readonly<Record<string, number>> = {
  'connections are cut': 50,
  'workers are killed with -9': 50,
  'workers are killed with -9 while their resource is busy': 50,
};

await using server = await startRabbitMq();
await using redis = await startRedis();
const harness: FaultHarness = {
  server,
  connect: (url) => new RabbitmqBroker(url),
  keepsHand: false,
  closeChannels: () => server.closeChannels(),
  coordinator: () => redis.url,
  takesRoot: 8_000,
};

async function playing(name: string, scenario: Scenario, often: number): Promise<void> {
  const play = new Play(harness, { count, times: often });
  const wrong = await scenario(play).catch((error) => [String(error)]);
  await play.end();
  tell(`${count} tasks; ${name}, ${often} times: ${play.summary()}`, wrong);
}

function tell(what: string, wrong: readonly string[]): void {
  console.log(what);
  for (const one of wrong) console.log(`  WRONG: ${one}`);
  if (wrong.length > 0) process.exitCode = 1;
}

/** So many resources are busy in turn: a message of each is parked, and taken. No room may stay, and no message go. */
async function roomsInTurn(resources: number, atOnce = 200): Promise<void> {
  const broker = new RabbitmqBroker(server.url);
  const queue = `rooms-${Date.now()}`;
  const deliveries: Delivery[] = [];
  const onDelivery = (delivery: Delivery) => void deliveries.push(delivery);
  const consumer = await broker.consume([queue], { concurrency: atOnce, lease: 5_000, onDelivery });
  const ended = new Set<string>();
  const end = async (delivery: Delivery) => {
    await delivery.settle(done);
    ended.add(delivery.message.id);
  };
  const roomsNow = async () => {
    const names = await server.ctl('-q', 'list_queues', 'name');
    return names.split('\n').filter((name) => name.includes(`${queue}.room.`)).length;
  };
  let most = 0;
  for (let from = 0; from < resources; from += atOnce) {
    await broker.publish(calls(Math.min(atOnce, resources - from)), { queue });
    await until(() => deliveries.length === Math.min(atOnce, resources - from));
    const names = deliveries.map((_, i) => `resource-${from + i}`);
    await Promise.all(
      deliveries
        .splice(0)
        .map((delivery, i) =>
          delivery.settle(parked(delivery.message, { resource: names[i]!, countdown: 2_000 })),
        ),
    );
    if (from % 2_000 === 0) most = Math.max(most, await roomsNow());
    for (const name of names) {
      // Beyond a thousand rooms they come back by themselves, each into a slot.
      await until(async () => {
        await Promise.all(deliveries.splice(0).map(end));
        return consumer.idle > 0;
      });
      const taken = await consumer.take(name, { weight: 1 });
      if (taken.kind === 'taken') await end(taken.delivery);
    }
  }
  await until(async () => {
    await Promise.all(deliveries.splice(0).map(end));
    return ended.size === resources && (await roomsNow()) === 0;
  }, 120_000).catch(() => {});
  const left = await roomsNow();
  const wrong = [
    ...(ended.size === resources ? [] : [`${resources - ended.size} messages are missing`]),
    ...(left === 0 ? [] : [`${left} rooms are left`]),
  ];
  tell(`${resources} resources busy in turn: ${most} rooms at a time were seen at most`, wrong);
  await broker.close();
}

for (const [name, scenario] of Object.entries(scenariosOn(harness))) {
  if (!wanted.test(name)) continue;
  await playing(name, scenario, Math.max(2, Math.round((times[name] ?? 10) * scale)));
}
if (wanted.test('resources busy in turn')) await roomsInTurn(count);
