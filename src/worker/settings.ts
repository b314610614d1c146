import { checkObject, checkText, checkWhole } from '../check.js';
import { type Duration, milliseconds } from '../duration.js';
import { ConfigError } from '../errors.js';
import type { App } from '../tasks/app.js';

export interface WorkerOptions {
  /** Runs at once. Default 10. */
  concurrency?: number;
  /** Queues to serve, in turn. Default: all that the app's tasks name when it starts, and the app's own. */
  queues?: readonly string[];
  /** How long running tasks may go on when the worker stops. Default 25 s. */
  drain?: Duration;
  /** How long a body may go on after it was told to stop. Default: the app's `abortGrace`, 5 s. */
  abortGrace?: Duration;
  /** How soon what a dead worker had in hand comes back. Default 15 s. */
  lease?: Duration;
}

export interface WorkerSettings {
  readonly concurrency: number;
  /** Those of the app's tasks, unless they are named. */
  readonly queues: readonly string[] | undefined;
  readonly drain: number;
  readonly abortGrace: number;
  readonly lease: number;
}

export function workerSettings(app: App, options: WorkerOptions): WorkerSettings {
  checkObject(options, 'options', ['concurrency', 'queues', 'drain', 'abortGrace', 'lease']);
  return {
    concurrency: checkWhole(options.concurrency ?? 10, 'concurrency'),
    queues: options.queues && checkQueues(options.queues),
    drain: milliseconds(options.drain ?? 25_000, 'drain'),
    abortGrace: milliseconds(options.abortGrace ?? app.locks.settings.abortGrace, 'abortGrace'),
    lease: milliseconds(options.lease ?? 15_000, 'lease'),
  };
}

function checkQueues(queues: readonly string[]): readonly string[] {
  if (!Array.isArray(queues) || queues.length === 0) {
    throw ConfigError.expected('queues', 'a list of at least one queue', queues);
  }
  return [...new Set(queues.map((queue) => checkText(queue, 'queues')))];
}
