/** What messages cost that wait for a busy resource, as they become many. */
import { createApp, createWorker, locked } from 'lockkeeper';
import { compareAtRest, compareParked, compareShared } from './rest/compare.js';
import { benchArgs, broker, coordinator } from './support/args.js';
import { CountedParts } from './support/counted.js';
import { heapUsed } from './support/heap.js';
import { holdAll } from './support/holder.js';
import { newName } from './support/names.js';
import { Report } from './support/report.js';
import { alternate, type Figures, quantile } from './support/rounds.js';
import { onServers } from './support/servers.js';
import { parked, until } from './support/until.js';

await using args = await onServers(
  benchArgs(
    `Messages are parked behind a resource that somebody else holds; then it comes free, and they are worked off.

  parkedPerSecond          from the first call until all are parked
  coordinatorCallsPerTask  until then
  heapBytesPerParked       of this process, of which the broker may be a part
  takeP50Us, takeP99Us     a take from the room, with the delivery before it settled
  tasksPerSecond           worked off under a mutex, or one for each room
  rooms                    as the broker tells

Over Redis the worker is a process of its own, with all messages in one room, and then with nothing to do:

  redisBytesPerParked
  heapGrownMb, rssGrownMb  the worker's memory with all of them parked, less what it was before any was
  takenUs                  from the one task to the next, as they are worked off one after the other
  costToFirst              takenUs, to that of the smallest room
  redisCommandsPerTask     those of scripts included
  redisCommandsPerSecond   of a worker at rest, those of scripts included, beside one of BullMQ`,
    {
      rounds: { default: 3, help: 'rounds of each' },
      most: { default: 1_000_000, help: 'messages in the largest room, over Redis' },
      seconds: { default: 30, help: 'how long a worker at rest is watched, over Redis' },
      take: { default: 10_000, help: 'tasks that are worked off, at most' },
      broker,
      coordinator,
    },
  ),
);

async function park(messages: number, rooms: number): Promise<Figures> {
  const parts = new CountedParts(args);
  const app = createApp({ broker: parts.broker, coordinator: parts.coordinator });
  const prefix = newName();
  let ran = 0;
  const limits = [locked((index: number) => `${prefix}-${index % rooms}`)];
  const work = app.task('work', { limits, ignoreResult: true }, (_index: number) => {
    ran++;
  });
  const resources = Array.from({ length: rooms }, (_, room) => `${prefix}-${room}`);
  const letGo = await holdAll(resources, args);
  await createWorker(app, { concurrency: 50 }).start();
  const heapBefore = heapUsed();

  const calledAt = performance.now();
  await work.delayMany(Array.from({ length: messages }, (_, index): [number] => [index]));
  await parked(app, messages);
  const parkedAt = performance.now();
  const heapBytesPerParked = (heapUsed() - heapBefore) / messages;
  const coordinatorCallsPerTask = parts.coordinatorCalls / messages;
  const found = (await parts.consumers[0]?.rooms())?.length ?? 0;

  const freeAt = performance.now();
  await letGo();
  const enough = Math.min(messages, args.take);
  await until(() => ran >= enough);
  const workedOff = ran / (performance.now() - freeAt);

  await app.close();
  await parts.close();
  return {
    rooms: found,
    parkedPerSecond: (messages / (parkedAt - calledAt)) * 1_000,
    coordinatorCallsPerTask,
    heapBytesPerParked,
    takeP50Us: quantile(parts.takes, 0.5) * 1_000,
    takeP99Us: quantile(parts.takes, 0.99) * 1_000,
    tasksPerSecond: workedOff * 1_000,
  };
}

const sizes = [
  { messages: 1_000, rooms: 1 },
  { messages: 10_000, rooms: 1 },
  { messages: 100_000, rooms: 1 },
  { messages: 10_000, rooms: 100 },
  { messages: 10_000, rooms: 1_000 },
];

const report = new Report('parked', args);
if (args.broker.startsWith('redis')) {
  const where = args.coordinator === 'memory' ? args.broker : args.coordinator;
  await compareParked(report, { ...args, coordinator: where });
  await compareShared(report, { ...args, coordinator: where });
  await compareAtRest(report, { ...args, coordinator: where });
} else {
  for (const { messages, rooms } of sizes) {
    const { all } = await alternate({ all: () => park(messages, rooms) }, args);
    report.row(`${messages.toLocaleString('en')} parked`, all.medians);
  }
}
report.end();
