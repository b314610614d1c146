import type { Command } from 'commander';
import { readable } from '../duration.js';
import type { ResourceReport } from '../tasks/operator/resources.js';
import type { Why } from '../tasks/operator/why.js';
import { details } from './describe.js';
import { duration, withDefault } from './flags.js';
import { headline } from './locks.js';
import { answer, type OperatorFlags, operator, queuesIn } from './operate.js';
import { instant, many, relative } from './text.js';

/** `lockkeeper why ID`: where a call is, and what it waits for. */
export function addWhy(program: Command): void {
  const why = program
    .command('why')
    .description('tell where a call is, what it waits for, and who holds that')
    .argument('<id>', 'of the call');
  const watch = ['--watch <duration>', 'how long to look on, for an estimate'] as const;
  withDefault(operator(why), watch, duration('--watch'), '1s');
  answer<OperatorFlags & { watch: number }, [string]>(why, async (app, flags, id) => {
    const { watch } = flags;
    const value = await app.operator.why(id, { ...queuesIn(flags), watch });
    const text = story(value, app.clock.wall(), watch).join('\n');
    return { value, text, failed: value.state === 'unknown' };
  });
}

function story(why: Why, now: number, watched: number): string[] {
  return [
    opening(why),
    ...facts(why, now).map((fact) => `  ${fact}`),
    ...outlook(why, now, watched),
    ...held(why, now),
  ];
}

function opening({ id, task, queue, state, refusedBy, stored }: Why): string {
  if (state === 'unknown') {
    return `${id} is unknown: it was never sent to these queues, or it has ended and its result is not kept (any more)`;
  }
  const what = [task, id].filter(Boolean).join(' ');
  const where = queue === undefined ? '' : ` (queue ${queue})`;
  if (state === 'ended') return `${what}${where} has ended: ${stored?.state}`;
  const busy = refusedBy === undefined ? 'a resource' : refusedBy;
  return `${what}${where} is ${state === 'deferred' ? `deferred: ${busy} was busy` : meaning[state]}`;
}

const meaning = {
  running: "running: it is in a worker's hands",
  queued: 'queued: no worker has taken it yet',
  delayed: 'delayed',
  apart: 'set aside for an operator',
} as const;

function facts(why: Why, now: number): string[] {
  const { sentAt, attempt, deferrals = 0, deferredAt, expires, stored, reason, asideId } = why;
  const said: string[] = [];
  if (sentAt !== undefined) said.push(`sent ${relative(sentAt, now)} (${instant(sentAt)})`);
  if (deferredAt !== undefined) said.push(`first put off ${relative(deferredAt, now)}`);
  const counted = [
    attempt && attempt > 1 ? `attempt ${attempt}` : '',
    deferrals > 0 ? many(deferrals, 'deferral') : '',
  ];
  if (counted.some(Boolean)) said.push(counted.filter(Boolean).join(', '));
  if (expires !== undefined) said.push(`expires ${relative(expires, now)}`);
  if (reason !== undefined) said.push(`because ${reason}`);
  if (asideId !== undefined) said.push(`put it back with: lockkeeper aside retry ${why.id}`);
  if (stored) said.push(...storedFacts(stored, now));
  return said;
}

function storedFacts(stored: NonNullable<Why['stored']>, now: number): string[] {
  const at = relative(stored.at, now);
  switch (stored.state) {
    case 'failed':
      return [`${at}, with ${stored.error.name}: ${stored.error.message}`];
    case 'retrying':
      return [`last attempt failed ${at} with ${stored.error.name}: ${stored.error.message}`];
    case 'skipped':
      return [`${at}, because ${stored.reason}`];
    case 'started':
      return 'progress' in stored ? [`told ${at}: ${JSON.stringify(stored.progress)}`] : [`started ${at}`];
    case 'done':
    case 'expired':
    case 'revoked':
      return [at];
    default:
      return [];
  }
}

function outlook({ state, ahead, nextTry, estimate }: Why, now: number, watched: number): string[] {
  const said: string[] = [];
  if (ahead !== undefined) {
    said.push(
      `${ahead === 0 ? 'next' : `${many(ahead, 'message')} before it`} in its ${state === 'deferred' ? 'room' : 'queue'}`,
    );
  }
  if (nextTry !== undefined) said.push(`next try ${relative(nextTry, now)}`);
  else if (estimate !== undefined)
    said.push(`starts in about ${readable(estimate)}, at the pace of the last ${readable(watched)}`);
  else if (ahead !== undefined && watched > 0) {
    said.push(`no estimate: none of those before it moved in ${readable(watched)}`);
  }
  return said.map((line) => `  ${line}`);
}

function held(why: Why, now: number): string[] {
  return why.resources.flatMap((report) => {
    const own = report.holders.some(({ message }) => message === why.id);
    const head = headline(report, now, ...(own ? ['held for this call'] : []));
    return ['', head, ...who(report, why, now)];
  });
}

/** Of what runs, its own permits; of what waits for a resource, all that stand in its way; else nothing. */
function who(report: ResourceReport, { id, state }: Why, now: number): string[] {
  if (state === 'deferred') return details(report, now);
  if (state !== 'running') return [];
  const holders = report.holders.filter(({ message }) => message === id);
  return details({ ...report, holders, waiting: [], rooms: [] }, now);
}
