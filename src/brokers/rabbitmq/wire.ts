import { decode, encode, type Message } from '../../message.js';
import type { AmqpMessage, AmqpProperties } from '../../rabbitmq/client.js';
import type { Parking } from '../broker.js';

/**
 * What is told beside a message, in headers. A message that is put back gets new ones, so that what RabbitMQ wrote there
 * about the way it came (`x-death`, and it grows with every step of the ladder) does not travel on.
 */
const headers = {
  losses: 'lk-losses',
  /** Milliseconds that are left of its delay after this round of the ladder. */
  left: 'lk-left',
  weight: 'lk-weight',
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

export function parcel(message: Message, losses = 0): Parcel {
  return textParcel(encode(message), message.id, losses);
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
      ...(losses > 0 && { headers: { [headers.losses]: losses } }),
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
  return withHeaders(whole, { [headers.weight]: weight });
}

/** A parked message as it goes back to the front of its room. */
export function frontParcel(message: AmqpMessage): Parcel {
  const whole = textParcel(message.content, message.properties.correlationId, lossesOf(message));
  const { body, properties } = parkedParcel(whole, { weight: weightOf(message) });
  return { body, properties: { ...properties, priority: 1 } };
}

/** A message as it comes back from a worker that has died with it. */
export function lostParcel({ content, properties }: AmqpMessage, losses: number): Parcel {
  return textParcel(content, properties.correlationId, losses);
}

export function asideParcel(message: AmqpMessage, reason: string, id: string): Parcel {
  return withHeaders(textParcel(message.content, message.properties.correlationId), {
    [headers.reason]: reason,
    [headers.at]: Date.now(),
    [headers.aside]: id,
  });
}

export function messageIn({ content }: AmqpMessage): Message {
  return decode(content.toString());
}

/** What was counted before, and how often the server has had this copy back from somebody who did not settle it. */
export function lossesOf({ properties }: AmqpMessage): number {
  const found = properties.headers ?? {};
  const returned = Math.max(whole(found['x-delivery-count']), whole(found['x-acquired-count']));
  return whole(found[headers.losses]) + returned;
}

export function leftOf({ properties }: AmqpMessage): number {
  return whole(properties.headers?.[headers.left]);
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
