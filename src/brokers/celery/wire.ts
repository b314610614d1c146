import { MalformedMessageError } from '../../errors.js';
import type { FromCelery, Message, MessageTimeLimit, Reply } from '../../message.js';
import { messageIn, parseObject } from '../../message-fields.js';
import { readBody } from './body.js';
import type { Parcel, Wire } from './parcel.js';
import { reprOfArgs, reprOfKwargs } from './repr.js';
import { isoOf, msIn, msOf } from './times.js';

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
const language = 'js';

function encode(message: Message): Parcel {
  const { celery, reply } = message;
  return {
    body: Buffer.from(bodyOf(message)),
    properties: {
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      persistent: true,
      priority: message.priority,
      correlationId: short(reply?.correlationId ?? message.id),
      replyTo: reply?.to,
      headers: { ...(celery?.headers ?? newHeaders(message)), ...headersOf(message) },
    },
  };
}

/** AMQP has 255 bytes for it. */
function short(text: string): string | undefined {
  return Buffer.byteLength(text) > 255 ? undefined : text;
}

/** Bodies as they were sent, by the arguments that were read from them: to go back with them to the byte. */
const bodies = new WeakMap<readonly unknown[], { text: string; kwargs: Message['kwargs'] }>();

function bodyOf({ args, kwargs }: Message): string {
  const sent = bodies.get(args);
  if (sent && sent.kwargs === kwargs) return sent.text;
  return newBody(args, kwargs);
}

function newBody(args: Message['args'], kwargs: Message['kwargs'] = {}): string {
  return JSON.stringify([args, kwargs, { callbacks: null, errbacks: null, chain: null, chord: null }]);
}

/** What never changes once a message was sent. */
function newHeaders({ args, kwargs = {} }: Message): Record<string, unknown> {
  return {
    lang: language,
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
  const kwargs = Object.keys(body.kwargs).length > 0 ? body.kwargs : undefined;
  bodies.set(body.args, { text, kwargs });
  return messageIn({
    sentAt: wall(),
    ...ours,
    id: headers.id,
    task: headers.task,
    args: body.args,
    kwargs,
    retries: headers.retries ?? 0,
    priority: Math.min(properties.priority ?? 0, 9),
    eta: msOf(headers.eta, 'eta'),
    expires: msOf(headers.expires, 'expires'),
    ignoreResult: headers.ignore_result === true ? true : ours.ignoreResult,
    timeLimit: timeLimitIn(headers.timelimit),
    // The first of its family need not say so.
    rootId: headers.root_id === headers.id ? undefined : (headers.root_id ?? undefined),
    parentId: headers.parent_id ?? undefined,
    origin: headers.origin ?? undefined,
    reply: replyOf(properties, headers.id),
    // What was sent from here has nothing that would not be written again.
    celery: headers.lang === language && headers[own] !== undefined ? undefined : fromCelery(headers),
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

/** Neither what is written anew, nor what tells of the way that a message has come. */
function fromCelery(headers: Readonly<Record<string, unknown>>): FromCelery {
  const kept = Object.entries(headers).filter(([name]) => !written.has(name) && !isOfTheWay(name));
  return { headers: Object.fromEntries(kept) };
}

function replyOf({ replyTo, correlationId }: Parcel['properties'], id: unknown): Reply | undefined {
  if (!replyTo) return undefined;
  return correlationId === undefined || correlationId === id
    ? { to: replyTo }
    : { to: replyTo, correlationId };
}

/** Whether RabbitMQ has written this header on a message's way, or we have, for the way. */
export function isOfTheWay(header: string): boolean {
  return /^(?:lk-|x-(?:(?:first-|last-)?death|delivery-count|acquired-count))/.test(header);
}

/** Milliseconds until it is to start. What says no time is set aside when it is read. */
export function celeryDelay({ eta }: Readonly<Record<string, unknown>>, wall: number): number {
  if (typeof eta !== 'string') return 0;
  const left = msIn(eta) - wall;
  return Number.isFinite(left) ? Math.max(0, left) : 0;
}
