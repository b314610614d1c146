/** How late delayed tasks start, when many of them are due, and how two workers share them. */
import type { ChildProcess } from 'node:child_process';
import { createApp } from 'lockkeeper';
import type { Deeds, Order } from './delayed/worker.js';
import { inThousands } from './runners/runner.js';
import { benchArgs, broker } from './support/args.js';
import { newName } from './support/names.js';
import { atMost, Report } from './support/report.js';
import { quantile } from './support/rounds.js';
import { onServers } from './support/servers.js';
import { startProgram, told } from './support/told.js';

await using args = await onServers(
  benchArgs(
    `Tasks with a delay are due one after the other, and two worker processes are there for them; then the same, and one of
the workers is killed when half of them have run.

  heapGrownMb     the memory of a worker with all of them waiting, less what it was before
  latenessP50Ms   from when it was due to its start
  latenessP99Ms
  share           of the worker that ran fewer of them
  ranTwice, lost  tasks`,
    {
      tasks: { default: 100_000, help: 'tasks in a round' },
      perSecond: { default: 2_000, help: 'tasks that come due in a second' },
      broker: { ...broker, default: 'redis' },
    },
  ),
);

/** Milliseconds that it may take to publish them all. */
const head = 5_000 + args.tasks / 5;

async function round({ kill }: { kill: boolean }) {
  const queue = newName('delayed');
  const app = createApp({ broker: args.broker, coordinator: 'memory:' });
  const work = app.task('work', { queue, ignoreResult: true }, (_index: number) => {});
  const order: Order = { broker: args.broker, queue };
  const workers = await Promise.all(
    [0, 1].map(async () => {
      const child = startProgram(new URL('./delayed/worker.ts', import.meta.url));
      return { child, before: await told<Deeds>(child, order) };
    }),
  );
  const firstDue = Date.now() + head;
  await inThousands(args.tasks, (indices) =>
    Promise.all(
      indices.map((index) => {
        const due = firstDue + (index / args.perSecond) * 1_000;
        return work.applyAsync([index], { eta: new Date(due) });
      }),
    ),
  );
  const full = await Promise.all(workers.map(({ child }) => told<Deeds>(child, 'look')));
  const heapGrownMb = Math.max(...full.map(({ heapMb }, i) => heapMb - (workers[i]?.before.heapMb ?? 0)));
  const isLate = full.some(({ starts }) => starts.length > 0);
  if (isLate)
    console.error('Some were due before all had been published: the memory is not that of all of them');
  const killed = kill ? await killOne(workers, firstDue) : [];
  for (;;) {
    const { ready, delayed, running } = await app.broker.depth(queue);
    if (ready + delayed + running === 0) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const living = await Promise.all(workers.map(({ child }) => told<Deeds>(child, 'look')));
  for (const { child } of workers) child.disconnect();
  await app.close();
  return figuresOf([...killed, ...living], heapGrownMb);
}

/** When half of them have been due. What it did until shortly before is all that is known of it. */
async function killOne(workers: { child: ChildProcess }[], firstDue: number): Promise<Deeds[]> {
  const half = firstDue + (args.tasks / args.perSecond) * 500;
  await new Promise((resolve) => setTimeout(resolve, half - Date.now()));
  const [{ child }] = workers.splice(0, 1) as [{ child: ChildProcess }];
  const deeds = await told<Deeds>(child, 'look');
  child.kill('SIGKILL');
  return [deeds];
}

function figuresOf(deeds: readonly Deeds[], heapGrownMb: number) {
  const starts = deeds.flatMap((one) => one.starts);
  const lateness = starts.map(([, late]) => late);
  const ran = new Set(starts.map(([index]) => index)).size;
  return {
    heapGrownMb,
    latenessP50Ms: quantile(lateness, 0.5),
    latenessP99Ms: quantile(lateness, 0.99),
    share: Math.min(...deeds.map((one) => one.starts.length)) / args.tasks,
    ranTwice: starts.length - ran,
    lost: args.tasks - ran,
  };
}

const report = new Report('delayed', args);
const what = `${args.tasks.toLocaleString('en')} delayed, ${args.perSecond.toLocaleString('en')} a second`;
report.row(what, await round({ kill: false }), {
  heapGrownMb: atMost(10),
  lost: atMost(0),
  ranTwice: atMost(0),
});
report.row(`${what}, one killed`, await round({ kill: true }), { heapGrownMb: atMost(10) });
report.end();
