/** Several limits on one task: it has all of them or none, and holds nothing while it waits. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createApp, createWorker, limited, locked } from 'lockkeeper';

interface Job {
  account: string;
  rows: number;
}

const app = createApp({
  resources: {
    database: { capacity: 6 },
    'account:*': { capacity: 1 },
    exports: { rate: '100/s', burst: 5 },
  },
});

/** What the bodies see: permits in use, by resource, and the most there ever were. */
const inUse = new Map<string, number>();
const most = new Map<string, number>();

function use(name: string, weight: number): void {
  const now = (inUse.get(name) ?? 0) + weight;
  inUse.set(name, now);
  most.set(name, Math.max(now, most.get(name) ?? 0));
}

// Large jobs take three of the six permits, small ones one.
const weightOf = ({ rows }: Job) => (rows > 1_000 ? 3 : 1);

const exportRows = app.task(
  'export-rows',
  {
    limits: [
      locked('database', { weight: weightOf }),
      locked((job: Job) => `account:${job.account}`),
      limited('exports'),
    ],
  },
  async (job: Job) => {
    use('database', weightOf(job));
    use(job.account, 1);
    await sleep(15);
    use('database', -weightOf(job));
    use(job.account, -1);
  },
);

await createWorker(app, { concurrency: 12 }).start();
const jobs = Array.from({ length: 24 }, (_, i) => ({
  account: `a${i % 8}`,
  rows: i % 3 === 0 ? 5_000 : 100,
}));
const calls = await exportRows.delayMany(jobs.map((job) => [job]));
await Promise.all(calls.map((call) => call.get({ timeout: '10s' })));
await app.close();

const perAccount = Math.max(...jobs.map(({ account }) => most.get(account) ?? 0));
console.log(
  `${jobs.length} exports; within six permits: ${most.get('database')! <= 6}; per account: ${perAccount}`,
);
// prints: 24 exports; within six permits: true; per account: 1
