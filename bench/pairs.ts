/** Acquiring and releasing what nobody else wants, beside what else can be had on the same coordinator. */
import { benchOf } from './coordinators/bench.js';
import { benchArgs, coordinatorOrRedlock } from './support/args.js';
import { runPairBench } from './support/pair-bench.js';
import { Report } from './support/report.js';
import { onServers } from './support/servers.js';

await using args = await onServers(
  benchArgs(
    `Pairs of an acquire and a release, without contention: one after the other, and on many keys at once.

  pairsPerSecond
  ratioToPeer     to the first of its group in the same round, or to the one that is named`,
    {
      pairs: {
        default: 0,
        help: 'pairs in a round, a fifth of them one after the other (as many as take about two seconds)',
      },
      keys: { default: 100, help: 'keys at once' },
      rounds: {
        default: 15,
        help: 'rounds of each: many and short, for the machine is quicker now and then',
      },
      coordinator: coordinatorOrRedlock,
    },
  ),
);

const { pairs, pairsInRound } = await benchOf(args.coordinator);
const bench = await pairs(args.coordinator);
const report = new Report('pairs', args);
await runPairBench(bench, report, { ...args, pairs: args.pairs || pairsInRound });
await bench.end();
report.end();
