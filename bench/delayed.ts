/** How late delayed tasks start, when many of them are due, and how two workers share them. */
import type { ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createApp } from 'lockkeeper';
import { removeFolder, temporaryFolder } from '../test/support/servers/folders.js';
import type { Memory, Order } from './delayed/worker.js';
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

interface Member {
  readonly child: ChildProcess;
  readonly diary: string;
  readonly before: Memory;
}

async function round({ kill }: { kill: boolean }) {
  const queue = newName('delayed');
  const app = createApp({ broker: args.broker, coordinator: 'memory:' });
  const work = app.task('work', { queue, ignoreResult: true }, (_index: number) => {});
  const folder = await temporaryFolder('delayed');
  const members = await Promise.all([
    startMember(queue, join(folder, 'a')),
    startMember(queue, join(folder, 'b')),
  ]);
  const firstDue = Date.now() + head;
  await inThousands(args.tasks, (indices) =>
    Promise.all(
      indices.map((index) => {
        const due = firstDue + (index / args.perSecond) * 1_000;
        return work.applyAsync([index], { eta: new Date(due) });
      }),
    ),
  );
  const full = await Promise.all(members.map(({ child }) => told<Memory>(child, 'look')));
  const heapGrownMb = Math.max(...full.map(({ heapMb }, i) => heapMb - (members[i]?.before.heapMb ?? 0)));
  if (Date.now() > firstDue)
    console.error('Some were due before all had been published: the memory is not that of all of them');
  if (kill) await killOne(members, firstDue);
  for (;;) {
    const { ready, delayed, running } = await app.broker.depth(queue);
    if (ready + delayed + running === 0) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const starts = await Promise.all(members.map(({ diary }) => startsIn(diary)));
  for (const { child } of members) if (child.connected) child.disconnect();
  await app.close();
  await removeFolder(folder);
  return { heapGrownMb, ...figuresOf(starts) };
}

async function startMember(queue: string, diary: string): Promise<Member> {
  const child = startProgram(new URL('./delayed/worker.ts', import.meta.url));
  const order: Order = { broker: args.broker, queue, diary };
  return { child, diary, before: await told<Memory>(child, order) };
}

/** When half of them have been due. */
async function killOne([{ child }]: readonly [Member, Member], firstDue: number): Promise<void> {
  const half = firstDue + (args.tasks / args.perSecond) * 500;
  await new Promise((resolve) => setTimeout(resolve, half - Date.now()));
  child.kill('SIGKILL');
}

/** A run of a task, and how many milliseconds late it was. */
type Start = readonly [index: number, late: number];

async function startsIn(diary: string): Promise<readonly Start[]> {
  const lines = (await readFile(diary, 'utf8')).split('\n').slice(0, -1);
  return lines.map((line) => line.split(' ').map(Number) as [number, number]);
}

function figuresOf(ofEach: readonly (readonly Start[])[]) {
  const starts = ofEach.flat();
  const lateness = starts.map(([, late]) => late);
  const ran = new Set(starts.map(([index]) => index)).size;
  return {
    latenessP50Ms: quantile(lateness, 0.5),
    latenessP99Ms: quantile(lateness, 0.99),
    share: Math.min(...ofEach.map(({ length }) => length)) / args.tasks,
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
report.row(`${what}, one killed`, await round({ kill: true }), { heapGrownMb: atMost(10), lost: atMost(0) });
report.end();
