/** How long a free task is held up by thousands that share a busy resource. */
import { createApp, createWorker, locked } from 'lockkeeper';
import { benchArgs, broker, coordinator } from './support/args.js';
import { holdAll } from './support/holder.js';
import { newName } from './support/names.js';
import { atMost, Report } from './support/report.js';
import { alternate, type Figures } from './support/rounds.js';
import { onServers } from './support/servers.js';
import { parked, until } from './support/until.js';

await using args = await onServers(
  benchArgs(
    `One task without a limit is published after thousands that share a resource, in the same queue.

  to be parked   somebody else holds the resource, and the others have just been published
  handed on      the others were parked, the resource has come free, and hand-off keeps every slot busy

  startMs        from the call of the free task to its start`,
    {
      tasks: { default: 10_000, help: 'tasks that share the resource' },
      slots: { default: 10, help: 'slots of the worker, and capacity of the resource' },
      ms: { default: 5, help: 'how long each of them takes' },
      rounds: { default: 3, help: 'rounds of each' },
      broker,
      coordinator,
    },
  ),
);

async function startOfFreeTask({ whenHandedOn }: { whenHandedOn: boolean }): Promise<Figures> {
  const resource = newName();
  const app = createApp({ broker: args.broker, coordinator: args.coordinator });
  const options = { ignoreResult: true };
  let [running, startedAt] = [0, 0];
  const shared = app.task('shared', { limits: [locked(resource, args.slots)], ...options }, async () => {
    running++;
    await new Promise((resolve) => setTimeout(resolve, args.ms));
    running--;
  });
  const free = app.task('free', options, () => {
    startedAt = performance.now();
  });
  const letGo = await holdAll([resource], { capacity: args.slots, coordinator: args.coordinator });
  await createWorker(app, { concurrency: args.slots }).start();

  await shared.delayMany(Array.from({ length: args.tasks }, () => []));
  if (whenHandedOn) {
    await parked(app, args.tasks);
    await letGo();
    await until(() => running === args.slots);
  }
  const calledAt = performance.now();
  await free.delay();
  await until(() => startedAt > 0);

  await letGo();
  await app.close();
  return { startMs: startedAt - calledAt };
}

const report = new Report('busy', args);
const rounds = await alternate(
  {
    'to be parked': () => startOfFreeTask({ whenHandedOn: false }),
    'handed on': () => startOfFreeTask({ whenHandedOn: true }),
  },
  args,
);
for (const [name, all] of Object.entries(rounds)) {
  const figures = { ...all.medians, worstMs: Math.max(...all.all('startMs')) };
  report.row(`behind ${args.tasks} ${name}`, figures, { startMs: atMost(1_000) });
}
report.end();
