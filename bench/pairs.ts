/** Acquiring and releasing what nobody else wants, beside the in-process locks of async-mutex. */
import { Mutex, Semaphore } from 'async-mutex';
import { createLocks } from 'lockkeeper';
import { benchArgs, coordinator } from './support/args.js';
import { newName } from './support/names.js';
import { measure, type Pair, runPairBench } from './support/pair-bench.js';
import { Report } from './support/report.js';
import { alternate, type Rounds } from './support/rounds.js';

const args = benchArgs(
  `Pairs of an acquire and a release, without contention: one after the other, and on many keys at once.

  pairsPerSecond
  ratioToPeer     to the first of its group, in the same round`,
  {
    pairs: { default: 50_000, help: 'pairs in a round' },
    keys: { default: 100, help: 'keys at once' },
    rounds: { default: 5, help: 'rounds of each' },
    coordinator: {
      ...coordinator,
      help: `${coordinator.help}; or \`zookeeper\` or \`redlock\`, beside their peers`,
    },
  },
);

type Cases = Readonly<Record<string, () => Pair>>;

const besidePeers = {
  zookeeper: async () => (await import('./support/zookeeper-pairs.js')).zookeeperPairs(),
  redlock: async () => (await import('./support/redlock-pairs.js')).redlockPairs(),
};

const isBesidePeers = args.coordinator in besidePeers;
const locks = createLocks({ coordinator: isBesidePeers ? 'memory' : args.coordinator });

/** Each makes the pair for a key of its own. What follows the first is compared to it. */
const plain: Cases = {
  'async-mutex Mutex': () => {
    const mutex = new Mutex();
    return async () => (await mutex.acquire())();
  },
  'async-mutex Semaphore(10)': () => {
    const semaphore = new Semaphore(10);
    return async () => (await semaphore.acquire())[1]();
  },
  'locks.acquire': () => {
    const name = newName();
    return async () => await (await locks.acquire(name)).release();
  },
  'locks.tryAcquire': () => {
    const name = newName();
    return async () => await (await locks.tryAcquire(name))?.release();
  },
};

/** `using` remembers what it holds, and from its first use on Node makes every promise of the process dearer. */
const withScope: Cases = {
  'async-mutex runExclusive': () => {
    const mutex = new Mutex();
    return () => mutex.runExclusive(() => {});
  },
  'locks.using': () => {
    const name = newName();
    return () => locks.using(name, () => {});
  },
};

async function compare(cases: Cases, keys: number): Promise<void> {
  const measured = Object.entries(cases).map(([name, pairFor]) => {
    return [
      name,
      () => measure(Array.from({ length: keys }, pairFor), Math.ceil(args.pairs / keys)),
    ] as const;
  });
  const rounds = await alternate(Object.fromEntries(measured), { rounds: args.rounds, warmUp: true });
  const [peer] = Object.values(rounds) as [Rounds];
  for (const [name, all] of Object.entries(rounds)) {
    const ratioToPeer = all.ratio('pairsPerSecond', peer);
    const how = keys === 1 ? 'one after the other' : `${keys} keys at once`;
    report.row(`${name}, ${how}`, { ...all.medians, ratioToPeer });
  }
}

const report = new Report('pairs', args);
if (isBesidePeers) {
  const bench = await besidePeers[args.coordinator as keyof typeof besidePeers]();
  await runPairBench(bench, report, args);
  await bench.end();
} else {
  for (const cases of [plain, withScope]) {
    await compare(cases, 1);
    await compare(cases, args.keys);
  }
}
await locks.close();
report.end();
