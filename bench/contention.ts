/** How much of a busy resource's capacity is used, and what it takes. */
import { Mutex, Semaphore } from 'async-mutex';
import { createApp, createLocks, createWorker, locked } from 'lockkeeper';
import { benchArgs, broker, coordinator } from './support/args.js';
import { CountedParts } from './support/counted.js';
import { newName } from './support/names.js';
import { atLeast, atMost, type Bars, Report } from './support/report.js';
import { alternate, type Figures } from './support/rounds.js';
import { settled } from './support/until.js';

const args = benchArgs(
  `500 tasks of 50 ms share a capacity of 10, and 500 tasks of 5 ms a mutex: two workers with 25 slots each, beside
bare timers that take turns.

  makespanRatio            time from the first start to the last settled, to the sum of the sleeps / capacity
  capacityUsed             measured time of all bodies, to capacity x that time
  deliveriesPerTask        those that were put back, and those taken from rooms, included
  coordinatorCallsPerTask
  inversions               the farthest that a start was from its place in publish order, in places
  invertedPairs            pairs of tasks that started in the wrong order
  ratioToRaw               the time of the bare timers, to ours
  ratioToPeer              the time of async-mutex, to ours`,
  {
    direct: { default: false, help: 'no runner: 200 waiters on locks.using, beside async-mutex' },
    rounds: { default: 5, help: 'rounds of each' },
    broker,
    coordinator,
  },
);

interface Shape {
  readonly tasks: number;
  readonly ms: number;
  readonly capacity: number;
}

const waiters = 200;

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
    const { tasks, ms, capacity } = this.#shape;
    const makespanMs = performance.now() - (this.#first ?? 0);
    return {
      makespanMs,
      makespanRatio: makespanMs / ((tasks * ms) / capacity),
      capacityUsed: this.#worked / (capacity * makespanMs),
    };
  }
}

/** So many loops, each of which goes through `turn` with the next task when it is done with the last. */
async function inTurns(
  shape: Shape,
  loops: number,
  turn: (body: () => Promise<void>) => Promise<void>,
): Promise<Figures> {
  const load = new Load(shape);
  let next = 0;
  const loop = async () => {
    for (let index = next++; index < shape.tasks; index = next++) await turn(() => load.body(index));
  };
  await Promise.all(Array.from({ length: loops }, loop));
  return load.figures;
}

const bareTimers = (shape: Shape) => inTurns(shape, shape.capacity, (body) => body());

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

  const calls = await work.delayMany(Array.from({ length: shape.tasks }, (_, index) => [index]));
  await Promise.all(calls.map((call) => call.get()));
  await settled(app);
  const { figures } = load;

  await app.close();
  await parts.close();
  return {
    ...figures,
    deliveriesPerTask: parts.deliveries / shape.tasks,
    coordinatorCallsPerTask: parts.coordinatorCalls / shape.tasks,
    ...disorder(load.order),
  };
}

/** How the order of the starts differs from publish order. */
function disorder(order: readonly number[]): Figures {
  let [inversions, invertedPairs] = [0, 0];
  for (const [place, index] of order.entries()) {
    inversions = Math.max(inversions, Math.abs(place - index));
    for (let later = place + 1; later < order.length; later++)
      if ((order[later] ?? 0) < index) invertedPairs++;
  }
  return { inversions, invertedPairs };
}

async function direct(shape: Shape): Promise<Figures> {
  const resource = newName();
  const locks = createLocks({
    coordinator: args.coordinator,
    resources: { [resource]: { capacity: shape.capacity } },
  });
  const figures = await inTurns(shape, waiters, (body) => locks.using(resource, body));
  await locks.close();
  return figures;
}

function peer(shape: Shape): Promise<Figures> {
  const guard = shape.capacity === 1 ? new Mutex() : new Semaphore(shape.capacity);
  return inTurns(shape, waiters, (body) => guard.runExclusive(body));
}

const report = new Report('contention', args);
await compare('500 x 50 ms, capacity 10', { tasks: 500, ms: 50, capacity: 10 }, () => ({
  capacityUsed: atLeast(0.97),
  deliveriesPerTask: atMost(2),
  inversions: atMost(32),
}));
await compare('500 x 5 ms, mutex', { tasks: 500, ms: 5, capacity: 1 }, (raw) => ({
  capacityUsed: atLeast(0.95 * (raw.capacityUsed ?? 1)),
}));
report.end();

async function compare(name: string, shape: Shape, barsFor: (raw: Figures) => Bars): Promise<void> {
  const [theirs, theirName, ratio] = args.direct
    ? [() => peer(shape), 'async-mutex', 'ratioToPeer']
    : [() => bareTimers(shape), 'bare timers', 'ratioToRaw'];
  const [ours, ourName] = args.direct ? [() => direct(shape), 'locks.using'] : [() => tasks(shape), 'tasks'];

  const rounds = await alternate({ theirs, ours }, { rounds: args.rounds, warmUp: true });
  const other = rounds.theirs.medians;
  const figures = { ...rounds.ours.medians, [ratio]: rounds.theirs.ratio('makespanMs', rounds.ours) };
  report.row(`${name}: ${theirName}`, other);
  report.row(`${name}: ${ourName}`, figures, args.direct ? {} : barsFor(other));
}
