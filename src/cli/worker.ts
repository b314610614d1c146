import type { Command } from 'commander';
import type { Logger } from 'pino';
import { checkOneOf } from '../check.js';
import { readable } from '../duration.js';
import { ConfigError } from '../errors.js';
import type { App } from '../tasks/app.js';
import { serveHealth } from '../worker/health-server.js';
import { measureGlobally } from '../worker/meter.js';
import { createWorker, type Worker } from '../worker/worker.js';
import { loadApp } from './app-module.js';
import { bannerOf, bannerText } from './banner.js';
import { duration, list, whole, withDefault } from './flags.js';
import { createLog, type Format, formats, type Level, levels } from './log.js';
import { narrate } from './narrate.js';
import { onSignals } from './signals.js';
import { flag } from './usage-error.js';
import { version } from './version.js';

interface WorkerFlags {
  readonly concurrency: number;
  readonly queues?: string[];
  readonly drain: number;
  readonly grace?: number;
  readonly lease: number;
  readonly loglevel: Level;
  readonly logformat: Format;
  readonly healthPort?: number;
  readonly healthHost?: string;
}

/** `lockkeeper worker MODULE`: runs the app's tasks until it is told to stop. */
export function addWorker(program: Command): void {
  const command = program
    .command('worker')
    .description("run the app's tasks, until SIGTERM or SIGINT; a second one stops at once")
    .argument('[module]', 'module that exports the app; default: the variable LOCKKEEPER_APP');
  addRunFlags(command);
  addLogFlags(command);
  command
    .option(
      '--health-port <port>',
      'answer GET /health and GET /live there; 0 is any that is free',
      whole('--health-port', 0),
    )
    .option('--health-host <address>', 'answer them on this address only; default: on all')
    .action(async (module: string | undefined, flags: WorkerFlags) => {
      const app = await loadApp(module ?? process.env.LOCKKEEPER_APP);
      try {
        mustHaveTasks(app);
        await work(app, await createLog(flags.loglevel, flags.logformat), flags);
      } finally {
        await app.close();
      }
    });
}

/** A worker sets every message apart whose task it does not know. */
function mustHaveTasks(app: App): void {
  if (app.tasks.size > 0) return;
  throw new ConfigError('The app has no tasks: its module has to import those that make them');
}

function addRunFlags(command: Command): void {
  withDefault(command, ['-c, --concurrency <n>', 'runs at once'], whole('--concurrency'), '10');
  command.option(
    '-q, --queues <names>',
    "queues to serve; default: those of the app's tasks",
    list('--queues'),
  );
  const drain = ['--drain <duration>', 'how long what runs may go on when it stops'] as const;
  withDefault(command, drain, duration('--drain'), '25s');
  command.option(
    '--grace <duration>',
    "how long a body may go on after it was told to stop; default: the app's abortGrace",
    duration('--grace'),
  );
  const lease = ['--lease <duration>', 'how soon what it has in hand comes back if it dies'] as const;
  withDefault(command, lease, duration('--lease'), '15s');
}

function addLogFlags(command: Command): void {
  const level = flag((text) => checkOneOf(text, '--loglevel', levels));
  withDefault(command, ['--loglevel <level>', levels.join(', ')], level, 'info');
  const format = flag((text) => checkOneOf(text, '--logformat', formats));
  const ordinary = process.stdout.isTTY ? 'text' : 'json';
  withDefault(command, ['--logformat <format>', 'json; or text, as on a terminal'], format, ordinary);
}

async function work(app: App, log: Logger, flags: WorkerFlags): Promise<void> {
  const { concurrency, queues, drain, grace, lease } = flags;
  const worker = createWorker(app, { concurrency, queues, drain, abortGrace: grace, lease });
  narrate(app, log);
  const endMeter = await measureGlobally(app);
  const health = flags.healthPort === undefined ? undefined : await probe(worker, flags, log);
  const unsubscribe = onSignals(worker, log);
  try {
    const over = worker.run({ signals: [] });
    await Promise.all([over, worker.start().then(() => introduce(app, worker, log, flags.logformat))]);
    log.info('the worker has stopped');
  } finally {
    unsubscribe();
    endMeter?.();
    await health?.close();
  }
}

async function probe(worker: Worker, { healthPort: port = 0, healthHost: host }: WorkerFlags, log: Logger) {
  const server = await serveHealth(worker, { port, host });
  log.info({ port: server.port }, 'probes are answered: GET /health, GET /live');
  return server;
}

async function introduce(app: App, worker: Worker, log: Logger, format: Format): Promise<void> {
  // It may have been told to stop while it started.
  if (worker.state !== 'running') return;
  const banner = await bannerOf(app, worker, version());
  if (format === 'text' && log.isLevelEnabled('info')) process.stdout.write(`${bannerText(banner)}\n`);
  const slots = `${banner.slots} slots, queues ${banner.queues.join(', ')}, drains for ${readable(banner.drain)}`;
  log.info(format === 'json' ? { banner } : {}, `the worker runs: ${slots}`);
  if (app.broker.kind === 'memory') {
    log.warn('the broker is the memory of this process: nobody else can send to it, and it ends with it');
  }
}
