import { MalformedMessageError } from '../../errors.js';
import type { FromCelery, Message, MessageTimeLimit } from '../../message.js';
import { messageIn, parseObject } from '../../message-fields.js';
import { readBody } from './body.js';
import type { Parcel, Wire } from './parcel.js';
import { reprOfArgs, reprOfKwargs } from './repr.js';
import { isoOf, msOf } from './times.js';

/**
 * Celery's message protocol 2, both ways.
 *
 * Whatever a message had that is of no use here is kept, and goes back with it: a message that was put off or tried
 * again is to a Celery worker as it was when it was sent, but for what a retry of Celery changes too (`retries`, `eta`).
 * What Celery has no header for, such as how often it was put off, is in one of our own, `lockkeeper`, that Celery does
 * not look at. A Celery worker that retries the message leaves that one out, and what it says begins anew.
 */
export function celeryWire(wall: () => number): Wire {
  return { encode, decode: (parcel) => decode(parcel, wall) };
}

/** The header that is ours. */
const own = 'lockkeeper';

function encode(message: Message): Parcel {
  const { celery, reply } = message;
  return {
    body: Buffer.from(celery?.body ?? bodyOf(message)),
    properties: {
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      persistent: true,
      priority: message.priority,
      correlationId: reply?.correlationId ?? message.id,
      replyTo: reply?.to,
      headers: { ...(celery?.headers ?? newHeaders(message)), ...headersOf(message) },
    },
  };
}

function bodyOf({ args, kwargs = {} }: Message): string {
  return JSON.stringify([args, kwargs, { callbacks: null, errbacks: null, chain: null, chord: null }]);
}

/** What never changes once a message was sent. */
function newHeaders({ args, kwargs = {} }: Message): Record<string, unknown> {
  return {
    lang: 'js',
    shadow: null,
    group: null,
    group_index: null,
    argsrepr: reprOfArgs(args),
    kwargsrepr: reprOfKwargs(kwargs),
  };
}

function headersOf(message: Message): Record<string, unknown> {
  const { soft, hard } = message.timeLimit ?? {};
  return {
    task: message.task,
    id: message.id,
    eta: message.eta === undefined ? null : isoOf(message.eta),
    expires: message.expires === undefined ? null : isoOf(message.expires),
    retries: message.retries,
    timelimit: [seconds(hard), seconds(soft)],
    root_id: message.rootId ?? message.id,
    parent_id: message.parentId ?? null,
    origin: message.origin ?? null,
    ignore_result: message.ignoreResult === true,
    [own]: ownOf(message),
  };
}

function ownOf(message: Message): string {
  const { sentAt, deferrals, shares, booking, refusedBy, deferredAt, warned, losses, moves, retry } = message;
  return JSON.stringify({
    sentAt,
    deferrals: deferrals || undefined,
    shares: shares?.map((share) => (share?.weight === 1 ? share.key : share)),
    booking,
    refusedBy,
    deferredAt,
    warned,
    losses: losses || undefined,
    moves,
    retry,
    // What was said to be kept is kept whatever the task says. Celery cannot say so.
    ignoreResult: message.ignoreResult === false ? false : undefined,
  });
}

function seconds(ms: number | undefined): number | null {
  return ms === undefined ? null : ms / 1_000;
}

function decode({ body: bytes, properties }: Parcel, wall: () => number): Message {
  const headers = properties.headers ?? {};
  const { text, body } = readBody(bytes, properties);
  if (headers.task === undefined)
    throw new MalformedMessageError('it has no header `task`: it is no call of Celery');
  checkEmbedded(body.embed);
  const ours = headers[own] === undefined ? {} : parseObject(String(headers[own]));
  return messageIn({
    sentAt: wall(),
    ...ours,
    id: headers.id,
    task: headers.task,
    args: body.args,
    kwargs: Object.keys(body.kwargs).length > 0 ? body.kwargs : undefined,
    retries: headers.retries ?? 0,
    priority: Math.min(properties.priority ?? 0, 9),
    eta: msOf(headers.eta, 'eta'),
    expires: msOf(headers.expires, 'expires'),
    ignoreResult: headers.ignore_result === true ? true : ours.ignoreResult,
    timeLimit: timeLimitIn(headers.timelimit),
    rootId: headers.root_id ?? undefined,
    parentId: headers.parent_id ?? undefined,
    origin: headers.origin ?? undefined,
    reply: properties.replyTo
      ? { to: properties.replyTo, correlationId: properties.correlationId ?? undefined }
      : undefined,
    celery: { headers: keptOf(headers), body: text } satisfies FromCelery,
  });
}

/**
 * What is to follow a task is started by the worker that ran it, and none is started here. To run the task and forget
 * the rest would lose work in silence.
 */
function checkEmbedded(embed: Readonly<Record<string, unknown>>): void {
  for (const part of ['callbacks', 'errbacks', 'chain', 'chord']) {
    const value = embed[part];
    if (value === null || value === undefined || (Array.isArray(value) && value.length === 0)) continue;
    throw new MalformedMessageError(
      `it has ${names[part]}, which only workers of Celery go on with: send it to a queue that has no others`,
    );
  }
}

const names: Record<string, string> = {
  callbacks: 'a `link`',
  errbacks: 'a `link_error`',
  chain: 'a chain behind it',
  chord: 'a chord behind it',
};

/** [hard, soft], in seconds. */
function timeLimitIn(header: unknown): MessageTimeLimit | undefined {
  const [hard, soft] = Array.isArray(header) ? header : [];
  const ms = (value: unknown) => (typeof value === 'number' && value > 0 ? value * 1_000 : undefined);
  const limit = { soft: ms(soft), hard: ms(hard) };
  return limit.soft === undefined && limit.hard === undefined ? undefined : limit;
}

/** Written anew every time, from the message. */
const written = new Set([
  'task',
  'id',
  'eta',
  'expires',
  'retries',
  'timelimit',
  'root_id',
  'parent_id',
  'origin',
  'ignore_result',
  own,
]);

/** Neither what is written anew, nor what RabbitMQ tells of the way that a message has come. */
function keptOf(headers: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(headers).filter(
      ([name]) => !written.has(name) && !/^x-(?:(?:first-|last-)?death|delivery-count)/.test(name),
    ),
  );
}
