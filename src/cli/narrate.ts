import type { Logger } from 'pino';
import { readable } from '../duration.js';
import type { App } from '../tasks/app.js';
import type { AppEvents } from '../tasks/events.js';

type Name = keyof AppEvents;

interface Sentence<K extends Name> {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly say: (event: AppEvents[K]) => string;
}

/**
 * What each event says in the log. What is ordinary while a resource is busy is `debug`, what a run came to is `info`,
 * what somebody should look at some time is `warn`, and what somebody should look at now is `error`.
 */
const sentences: { readonly [K in Name]: Sentence<K> } = {
  'task.started': {
    level: 'debug',
    say: ({ task, waited }) => `${task} starts${waited > 0 ? ` after ${readable(waited)}` : ''}`,
  },
  'task.done': { level: 'info', say: ({ task, took }) => `${task} is done in ${readable(took)}` },
  'task.failed': { level: 'error', say: ({ task }) => `${task} has failed` },
  'task.retried': {
    level: 'warn',
    say: ({ task, attempt, after }) => `${task} failed in attempt ${attempt}, next in ${readable(after)}`,
  },
  'task.deferred': {
    level: 'debug',
    say: ({ task, resource, reason }) =>
      `${task} is put off: ${resource ? `${resource} is ${reason}` : reason}`,
  },
  'task.skipped': { level: 'info', say: ({ task, resource }) => `${task} is skipped: ${resource} is busy` },
  'task.expired': { level: 'warn', say: ({ task }) => `${task} has expired` },
  'task.revoked': { level: 'info', say: ({ task }) => `${task} is revoked` },
  'task.aside': { level: 'error', say: ({ task }) => `${task} is set aside` },
  'task.lost': {
    level: 'warn',
    say: ({ task, cause }) => `${task} is put back: its run ended with a ${cause}`,
  },
  'task.waiting': {
    level: 'warn',
    say: ({ task, resource, waited }) => `${task} has waited for ${resource} for ${readable(waited)}`,
  },
  'task.void': {
    level: 'warn',
    say: ({ task }) => `${task} ran in vain: this worker had been given up for dead`,
  },
  'result.failed': { level: 'error', say: ({ task }) => `the result of ${task} could not be kept` },
  'worker.error': { level: 'error', say: () => 'the worker met an error and goes on' },
  'permit.granted': { level: 'debug', say: ({ resource }) => `a permit of ${resource} is granted` },
  'permit.released': { level: 'debug', say: ({ resource }) => `a permit of ${resource} is given back` },
  'permit.acquired': { level: 'debug', say: ({ resource }) => `a direct call has a permit of ${resource}` },
  'permit.atRisk': {
    level: 'warn',
    say: ({ resource, left }) => `a permit of ${resource} is not renewed, and lost in ${readable(left)}`,
  },
  'permit.lost': {
    level: 'error',
    say: ({ resource, cause }) => `a permit of ${resource} is lost: ${cause}`,
  },
  'permit.abandoned': {
    level: 'error',
    say: ({ resource }) =>
      `a body does not stop: its permit of ${resource} is taken, and it may overlap the next`,
  },
  'permit.renewFailed': {
    level: 'warn',
    say: ({ resource }) => `a permit of ${resource} could not be renewed`,
  },
  'permit.releaseFailed': {
    level: 'warn',
    say: ({ resource }) => `a permit of ${resource} could not be given back: it comes free with its lease`,
  },
  'capacity.mismatch': {
    level: 'warn',
    say: ({ resource, declared, alsoDeclared }) =>
      `${resource} has a capacity of ${declared} here, and of ${alsoDeclared} elsewhere`,
  },
  'resource.changed': {
    level: 'info',
    say: ({ resource, change }) => `${resource} is changed: ${change.kind}`,
  },
  'coordinator.unavailable': {
    level: 'error',
    say: ({ coordinator }) => `the ${coordinator} coordinator does not answer`,
  },
  'coordinator.available': {
    level: 'info',
    say: ({ coordinator }) => `the ${coordinator} coordinator answers again`,
  },
};

/** Writes what happens in this process to the log. What its level hides is not listened for, and costs nothing. */
export function narrate(app: App, log: Logger): void {
  for (const name of Object.keys(sentences) as Name[]) tell(app, log, name);
}

function tell<K extends Name>(app: App, log: Logger, name: K): void {
  const { level, say } = sentences[name];
  if (!log.isLevelEnabled(level)) return;
  app.on(name, (event) => {
    const { error, ...facts } = event as { error?: unknown };
    log[level]({ event: name, ...rounded(facts), ...(error !== undefined && { err: error }) }, say(event));
  });
}

/** Milliseconds to the tenth. */
function rounded(facts: object): object {
  const round = (value: unknown) => (typeof value === 'number' ? Math.round(value * 10) / 10 : value);
  return Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, round(value)]));
}
