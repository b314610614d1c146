/** How much of a busy resource's capacity is used, and what it takes. */
import { createApp, createWorker, locked } from 'lockkeeper';
import { benchOf, type Contest } from './coordinators/bench.js';
import { compareCrews } from './crews/compare.js';
import { disorder } from './crews/crew.js';
import { benchArgs, broker, coordinatorOrRedlock } from './support/args.js';
import { Contestants, type Shape, waiters } from './support/contest.js';
import { CountedParts } from './support/counted.js';
import { newName } from './support/names.js';
import { atLeast, atMost, type Bars, Report } from './support/report.js';
import { alternate, type Figures, type Rounds } from './support/rounds.js';
import { onServers } from './support/servers.js';
import { settled } from './support/until.js';

await using args = await onServers(
  benchArgs(
    `500 tasks of 50 ms share a capacity of 10, and 500 tasks of 5 ms a mutex: two workers with 25 slots each, beside
bare timers that take turns.

  makespanRatio            time from the first start to the last settled, to the sum of the sleeps / capacity
  capacityUsed             measured time of all bodies, to capacity x that time
  deliveriesPerTask        those that were put back, and those taken from rooms, included
  coordinatorCallsPerTask
  inversions               the farthest that a start was from its place in publish order, in places
  invertedPairs            pairs of tasks that started in the wrong order
  ratioToRaw               the time of the bare timers, to ours

Over a broker on a server the two workers are processes. Their first round is told by itself, for V8 has yet to compile what
they run; the others come when they have worked off 10,000 tasks. Beside them is the classic pattern, in one round: a worker
that tries for a semaphore, and sends the task back for a second when it is refused. That is BullMQ with redis-semaphore and
moveToDelayed, and Celery with kazoo and countdown=1 where both are installed and ZooKeeper keeps the limits.

  classicToOurs            the time of the classic pattern, to ours

With --direct there is no runner: ${waiters} waiters hold the resource in turns, beside what else can be had on the same
coordinator. On a server there are two processes of them, and four times the holds of a capacity, of 20 ms each. One round
more comes first and is not counted.

  coordinatorCallsPerTask  requests to the server, for each hold
  latencyP50Ms             from asking to holding
  latencyP99Ms
  latencyP99ToP50
  ratioToPeer              the time of the first peer, to this one's`,
    {
      direct: { default: false, help: 'no runner: locks.using, beside its peers' },
      only: { default: '', help: 'with --direct, only those whose name contains this' },
      rounds: { default: 5, help: 'rounds of each' },
      broker,
      coordinator: coordinatorOrRedlock,
    },
  ),
);

/** The bodies of one round. */
class Load {
  readonly order: number[] = [];
  readonly #shape: Shape;
  #worked = 0;
  #first: number | undefined;

  constructor(shape: Shape) {
    this.#shape = shape;
  }

  readonly body = async (index: number): Promise<void> => {
    const start = performance.now();
    this.#first ??= start;
    this.order.push(index);
    await new Promise((resolve) => setTimeout(resolve, this.#shape.ms));
    this.#worked += performance.now() - start;
  };

  /** From the first start until now, when all is settled. */
  get figures() {
    const { holds, ms, capacity } = this.#shape;
    const makespanMs = performance.now() - (this.#first ?? 0);
    return {
      makespanMs,
      makespanRatio: makespanMs / ((holds * ms) / capacity),
      capacityUsed: this.#worked / (capacity * makespanMs),
    };
  }
}

/** As many loops as there is capacity, and nothing to keep them apart. */
async function bareTimers(shape: Shape): Promise<Figures> {
  const load = new Load(shape);
  let next = 0;
  const loop = async () => {
    for (let index = next++; index < shape.holds; index = next++) await load.body(index);
  };
  await Promise.all(Array.from({ length: shape.capacity }, loop));
  return load.figures;
}

async function tasks(shape: Shape): Promise<Figures> {
  const parts = new CountedParts(args);
  const resource = newName();
  const { broker, coordinator } = parts;
  const app = createApp({ broker, coordinator, resources: { [resource]: { capacity: shape.capacity } } });
  const load = new Load(shape);
  const work = app.task('work', locked(resource), load.body);
  await Promise.all([
    createWorker(app, { concurrency: 25 }).start(),
    createWorker(app, { concurrency: 25 }).start(),
  ]);

  const calls = await work.delayMany(Array.from({ length: shape.holds }, (_, index) => [index]));
  await Promise.all(calls.map((call) => call.get()));
  await settled(app);
  const { figures } = load;

  await app.close();
  await parts.close();
  return {
    ...figures,
    deliveriesPerTask: parts.deliveries / shape.holds,
    coordinatorCallsPerTask: parts.coordinatorCalls / shape.holds,
    ...disorder(load.order),
  };
}

async function compareTasks(what: string, shape: Shape, barsFor: (raw: Figures) => Bars): Promise<void> {
  const cases = { raw: () => bareTimers(shape), ours: () => tasks(shape) };
  const { raw, ours } = await alternate(cases, { rounds: args.rounds, warmUp: true });
  const ratioToRaw = raw.ratio('makespanMs', ours);
  report.row(`${what}: bare timers`, raw.medians);
  report.row(`${what}: tasks`, { ...ours.medians, ratioToRaw }, barsFor(raw.medians));
}

/** Those that are wanted. */
function namesOf(...contests: Contest[]): string[] {
  return contests
    .flatMap(({ contenders }) => Object.keys(contenders))
    .filter((name) => name.includes(args.only));
}

async function compareDirect(what: string, shape: Shape, rivals: Contest): Promise<void> {
  const all = Object.fromEntries(
    namesOf(rivals).map((name) => [name, new Contestants(bench, name, args.coordinator)]),
  );
  const cases = Object.entries(all).map(([name, one]) => [name, () => one.round(shape)] as const);
  const measured = await alternate(Object.fromEntries(cases), { rounds: args.rounds, warmUp: true });
  for (const one of Object.values(all)) one.end();
  const [first] = Object.values(measured);
  for (const [name, rounds] of Object.entries(measured)) {
    const ratioToPeer = (first as Rounds).ratio('makespanMs', rounds);
    report.row(`${what}: ${name}`, { ...rounds.medians, ratioToPeer }, rivals.bars[name] ?? {});
  }
}

const report = new Report('contention', args);
const bench = await benchOf(args.coordinator);
const onServer = bench.processes > 1;
if (!args.direct && args.broker !== 'memory') {
  await compareCrews(report, args);
} else if (!args.direct) {
  await compareTasks('500 x 50 ms, capacity 10', { holds: 500, ms: 50, capacity: 10 }, () => ({
    capacityUsed: atLeast(0.97),
    deliveriesPerTask: atMost(2),
    inversions: atMost(32),
  }));
  await compareTasks('500 x 5 ms, mutex', { holds: 500, ms: 5, capacity: 1 }, (raw) => ({
    capacityUsed: atLeast(0.95 * (raw.capacityUsed ?? 1)),
  }));
} else {
  const { semaphores, mutexes } = bench;
  if (namesOf(semaphores, mutexes).length === 0) throw new Error(`Nobody here is called "${args.only}"`);
  const [holds, ms] = onServer ? [2_000, 20] : [500, 50];
  const what = `${holds} x ${ms} ms, capacity 10`;
  await compareDirect(what, { holds, ms, capacity: 10 }, semaphores);
  await compareDirect('500 x 5 ms, mutex', { holds: 500, ms: 5, capacity: 1 }, mutexes);
}
report.end();
