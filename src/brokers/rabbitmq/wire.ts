import { decode, encode, type Message } from '../../message.js';
import type { AmqpMessage, AmqpProperties } from '../../rabbitmq/client.js';
import type { Parking } from '../broker.js';
import { celeryDelay, celeryWire, isOfTheWay } from '../celery/wire.js';
import type { Names } from './names.js';

/**
 * What is told beside a message, in headers. A message that is put back gets new ones, so that what RabbitMQ wrote there
 * about the way it came (`x-death`, and it grows with every step of the ladder) does not travel on.
 */
const headers = {
  losses: 'lk-losses',
  /** Milliseconds that are left of its delay after this round of the ladder. */
  left: 'lk-left',
  weight: 'lk-weight',
  /** Of a message of Celery, while it is parked: in a room the property says what comes first. */
  priority: 'lk-priority',
  /** Why it was set apart, when, and what it is called there. */
  reason: 'lk-reason',
  at: 'lk-at',
  aside: 'lk-aside',
} as const;

/** A message as it goes into a queue. */
export interface Parcel {
  readonly body: Buffer;
  readonly properties: Omit<AmqpProperties, 'mandatory' | 'messageId'>;
}

const celery = celeryWire(() => Date.now());

/** A message as it is written in this queue. */
export function parcel(names: Names, message: Message, losses = 0): Parcel {
  if (!names.celery) return textParcel(encode(message), message.id, losses);
  const { body, properties } = celery.encode(message);
  return withHeaders({ body, properties: properties as Parcel['properties'] }, lossHeader(losses));
}

/**
 * The message itself, as it was put into its queue; but for the `expiration` that Celery gives it, by which RabbitMQ would take
 * it off a ladder before its time, or drop it without a word. Its header says the same, and is gone by.
 */
function copyOf({ content, properties }: AmqpMessage, losses: number): Parcel {
  const { contentType, contentEncoding, correlationId, replyTo } = properties;
  const priority = priorityOf(properties);
  const sent = Object.entries(properties.headers ?? {}).filter(([name]) => !isOfTheWay(name));
  return {
    body: content,
    properties: {
      persistent: true,
      ...defined({ contentType, contentEncoding, correlationId, replyTo, priority }),
      headers: { ...Object.fromEntries(sent), ...lossHeader(losses) },
    },
  };
}

function lossHeader(losses: number): Record<string, number> {
  return losses > 0 ? { [headers.losses]: losses } : {};
}

function priorityOf({ headers: found = {}, priority }: AmqpMessage['properties']): number | undefined {
  return found[headers.weight] === undefined ? priority : found[headers.priority];
}

function defined<T extends object>(fields: T): { [K in keyof T]: NonNullable<T[K]> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null);
  return Object.fromEntries(entries) as { [K in keyof T]: NonNullable<T[K]> };
}

/** What need not be a message. */
export function textParcel(text: string | Buffer, id?: string, losses = 0): Parcel {
  return {
    body: typeof text === 'string' ? Buffer.from(text) : text,
    properties: {
      persistent: true,
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      // AMQP has 255 bytes for it, and it is there only for people who look.
      ...(id !== undefined && Buffer.byteLength(id) <= 255 && { correlationId: id }),
      ...(losses > 0 && { headers: lossHeader(losses) }),
    },
  };
}

function withHeaders({ body, properties }: Parcel, more: Record<string, unknown>): Parcel {
  return { body, properties: { ...properties, headers: { ...properties.headers, ...more } } };
}

export function delayedParcel(whole: Parcel, left: number): Parcel {
  return left > 0 ? withHeaders(whole, { [headers.left]: left }) : whole;
}

export function parkedParcel(whole: Parcel, { weight }: Pick<Parking, 'weight'>): Parcel {
  const { priority, ...properties } = whole.properties;
  return withHeaders(
    { body: whole.body, properties },
    { [headers.weight]: weight, ...(priority !== undefined && { [headers.priority]: priority }) },
  );
}

/** A parked message as it goes back to the front of its room. */
export function frontParcel(message: AmqpMessage): Parcel {
  const { body, properties } = parkedParcel(copyOf(message, lossesOf(message)), {
    weight: weightOf(message),
  });
  return { body, properties: { ...properties, priority: 1 } };
}

/** A message as it comes back from a worker that has died with it. */
export function lostParcel(message: AmqpMessage, losses: number): Parcel {
  return copyOf(message, losses);
}

/** What was set apart and is no message that can be read here, once more. */
export function againParcel(message: AmqpMessage): Parcel {
  return copyOf(message, 0);
}

export function asideParcel(message: AmqpMessage, reason: string, id: string): Parcel {
  return withHeaders(copyOf(message, 0), {
    [headers.reason]: reason,
    [headers.at]: Date.now(),
    [headers.aside]: id,
  });
}

/** Throws `MalformedMessageError` when it is none. */
export function messageIn(names: Names, { content, properties }: AmqpMessage): Message {
  if (!names.celery) return decode(content.toString());
  return celery.decode({ body: content, properties: { ...properties, priority: priorityOf(properties) } });
}

/** What was counted before, and how often the server has had this copy back from somebody who did not settle it. */
export function lossesOf({ properties }: AmqpMessage): number {
  const found = properties.headers ?? {};
  const returned = Math.max(whole(found['x-delivery-count']), whole(found['x-acquired-count']));
  return whole(found[headers.losses]) + returned;
}

/**
 * Milliseconds for which it is not to be handed over yet: what is left of its delay after this round of the ladder; or,
 * since Celery puts into the queue what is to start later, what is left until it says.
 */
export function leftOf(names: Names, { properties }: AmqpMessage): number {
  const left = whole(properties.headers?.[headers.left]);
  return names.celery ? Math.max(left, celeryDelay(properties.headers ?? {}, Date.now())) : left;
}

export function weightOf({ properties }: AmqpMessage): number {
  return whole(properties.headers?.[headers.weight]) || 1;
}

/** How a message came to be set apart; the server does it when it came back too often, and gives no reason but that. */
export function asideOf(message: AmqpMessage, position: number): { id: string; reason: string; at: number } {
  const found = message.properties.headers ?? {};
  const [death] = (found['x-death'] ?? []) as { reason?: unknown; time?: { value?: unknown } }[];
  if (found[headers.aside] !== undefined) {
    return {
      id: String(found[headers.aside]),
      reason: String(found[headers.reason]),
      at: whole(found[headers.at]),
    };
  }
  const at = 1_000 * whole(death?.time?.value);
  const id = `${message.properties.messageId ?? ''}@${at}@${position}`;
  return { id, reason: `RabbitMQ set it aside: ${death?.reason ?? 'for a reason it did not give'}`, at };
}

function whole(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : 0;
}
