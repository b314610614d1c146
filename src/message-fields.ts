import { MalformedMessageError } from './errors.js';
import type { Message, Reply, Share } from './message.js';

/** What arrives is believed only as far as it is checked here: one message that is none must not stop a worker. */

type Raw = Record<string, unknown>;

/** The message that these are the fields of. Throws `MalformedMessageError` with the reason when they are of none. */
export function messageIn(raw: Raw): Message {
  raw.retries ??= 0;
  raw.deferrals ??= 0;
  raw.priority ??= 0;
  requireThat(typeof raw.id === 'string' && raw.id !== '', 'has no `id`');
  requireThat(typeof raw.task === 'string' && raw.task !== '', 'has no `task`');
  requireThat(Array.isArray(raw.args), 'has no list of `args`');
  for (const field of numbers) if (!Number.isFinite(raw[field])) refuse(field, 'a number');
  for (const field of optionalNumbers) {
    if (raw[field] !== undefined && !Number.isFinite(raw[field])) refuse(field, 'a number');
  }
  for (const field of optionalTexts) {
    if (raw[field] !== undefined && typeof raw[field] !== 'string') refuse(field, 'a text');
  }
  requireThat(raw.kwargs === undefined || isObject(raw.kwargs), 'has `kwargs` that are not an object');
  requireThat(holdsNumbers(raw.retry, retryFields), 'has a `retry` that is none');
  requireThat(holdsNumbers(raw.timeLimit, timeLimitFields), 'has a `timeLimit` that is none');
  requireThat(raw.reply === undefined || isReply(raw.reply), 'has a `reply` that is none');
  if (raw.shares !== undefined) raw.shares = sharesIn(raw.shares);
  return raw as unknown as Message;
}

const numbers = ['retries', 'deferrals', 'priority', 'sentAt'] as const;
const optionalNumbers = ['expires', 'eta', 'deferredAt', 'losses', 'moves'] as const;
const optionalTexts = ['booking', 'refusedBy', 'origin', 'parentId', 'rootId'] as const;
const retryFields = ['max', 'delay'];
const timeLimitFields = ['soft', 'hard'];

function sharesIn(raw: unknown): (Share | null)[] {
  requireThat(Array.isArray(raw), 'has `shares` that are not a list');
  const shares = (raw as unknown[]).map((share) =>
    typeof share === 'string' ? { key: share, weight: 1 } : share,
  );
  for (const share of shares) requireThat(isShare(share as Share), 'has a share without a key or weight');
  return shares as (Share | null)[];
}

/** The object in a JSON text. Throws `MalformedMessageError` when there is none. */
export function parseObject(text: string): Raw {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (error) {
    throw new MalformedMessageError(`not JSON: ${(error as Error).message}`);
  }
  requireThat(isObject(raw), 'is not a JSON object');
  return raw as Raw;
}

function isObject(value: unknown): value is Raw {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function holdsNumbers(value: unknown, fields: readonly string[]): boolean {
  if (value === undefined) return true;
  return (
    isObject(value) && fields.every((field) => value[field] === undefined || Number.isFinite(value[field]))
  );
}

function isReply(value: unknown): boolean {
  const { to, correlationId } = (value ?? {}) as Partial<Reply>;
  return typeof to === 'string' && (correlationId === undefined || typeof correlationId === 'string');
}

function isShare(share: Share | null): boolean {
  return (
    share === null || (typeof share?.key === 'string' && Number.isInteger(share.weight) && share.weight >= 1)
  );
}

function refuse(field: string, what: string): never {
  throw new MalformedMessageError(`the message has a \`${field}\` that is not ${what}`);
}

function requireThat(holds: boolean, complaint: string): void {
  if (!holds) throw new MalformedMessageError(`the message ${complaint}`);
}
