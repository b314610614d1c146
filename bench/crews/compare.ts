import { startRedis } from '../../test/support/servers/index.js';
import { atLeast, atMost, type Report } from '../support/report.js';
import { alternate, type Figures } from '../support/rounds.js';
import { celeryRound, hasCelery } from './celery.js';
import { Crew, type Load, type Where } from './crew.js';
import { bullMq, ours } from './publishers.js';

interface CompareArgs extends Where {
  readonly rounds: number;
}

const half: Load = { tasks: 500, ms: 50, capacity: 10 };
const mutex: Load = { tasks: 500, ms: 5, capacity: 1 };

const programs = {
  ours: new URL('./lockkeeper.ts', import.meta.url),
  bullMq: new URL('./classic.ts', import.meta.url),
};

/** Done before what is measured: a compiler needs to have seen a lot of tasks. */
const warmUp: Load = { tasks: 10_000, ms: 1, capacity: 10 };

/** Two processes of 25 slots, and the classic pattern beside them, which takes its time: it has one round. */
export async function compareCrews(report: Report, args: CompareArgs): Promise<void> {
  const { broker, rounds } = args;
  const where = { broker, coordinator: args.coordinator === 'memory' ? broker : args.coordinator };
  const crew = new Crew(programs.ours, ours);
  const round = (load: Load) => () => crew.round(where, load);
  const justStarted = await crew.round(where, half);
  await crew.round(where, warmUp);
  const measured = await alternate({ half: round(half), mutex: round(mutex) }, { rounds });
  crew.end();
  report.row('500 x 50 ms, capacity 10: two workers, just started', justStarted);
  report.row('500 x 50 ms, capacity 10: two workers', measured.half.medians, {
    capacityUsed: atLeast(broker.startsWith('redis') ? 0.95 : 0.92),
    deliveriesPerTask: atMost(2),
  });
  report.row('500 x 5 ms, mutex: two workers', measured.mutex.medians);

  const tell = (what: string, classic: Figures) => {
    const classicToOurs = (classic.makespanMs ?? 0) / (measured.half.medians.makespanMs ?? 1);
    report.row(`500 x 50 ms, capacity 10: ${what}, 1 s`, { ...classic, classicToOurs });
  };
  if (broker.startsWith('redis') && where.coordinator === broker) {
    const rivals = new Crew(programs.bullMq, bullMq);
    tell('BullMQ and redis-semaphore', await rivals.round(where, half));
    rivals.end();
  }
  if (where.coordinator.startsWith('zk') && hasCelery()) {
    tell('Celery and kazoo', await counting(broker, (tallies) => celeryRound(where, half, tallies)));
  }
}

/** Celery's workers count in a Redis: the one that carries their messages, or one of its own. */
async function counting(broker: string, round: (tallies: string) => Promise<Figures>): Promise<Figures> {
  if (broker.startsWith('redis')) return await round(broker);
  const redis = await startRedis();
  try {
    return await round(redis.url);
  } finally {
    await redis.stop();
  }
}
