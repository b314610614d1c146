/**
 * What this package uses of amqplib, 1.0.4 or later: a connection of its promise API, also of another copy of the library,
 * is one.
 */
export interface AmqpConnection {
  createChannel(): Promise<AmqpChannel>;
  createConfirmChannel(): Promise<AmqpConfirmChannel>;
  close(): Promise<void>;
  // biome-ignore lint/suspicious/noExplicitAny: each event has its own
  on(event: string, listener: (...args: any[]) => void): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  off(event: string, listener: (...args: any[]) => void): unknown;
  /** What amqplib sends and receives by. To end a connection whose server does not answer, it has no other way. */
  readonly connection?: { readonly stream?: AmqpStream };
}

export interface AmqpChannel {
  assertQueue(queue: string, options?: QueueOptions): Promise<QueueState>;
  /** Closes the channel when there is none. */
  checkQueue(queue: string): Promise<QueueState>;
  deleteQueue(queue: string, options?: { ifUnused?: boolean; ifEmpty?: boolean }): Promise<unknown>;
  purgeQueue(queue: string): Promise<{ messageCount: number }>;
  bindQueue(queue: string, exchange: string, key: string): Promise<unknown>;
  assertExchange(exchange: string, type: string, options?: ExchangeOptions): Promise<unknown>;
  deleteExchange(exchange: string): Promise<unknown>;
  bindExchange(destination: string, source: string, key: string): Promise<unknown>;
  publish(exchange: string, key: string, body: Buffer, properties?: AmqpProperties): boolean;
  consume(
    queue: string,
    onMessage: (message: AmqpMessage | null) => void,
    options?: ConsumeArguments,
  ): Promise<{ consumerTag: string }>;
  cancel(consumerTag: string): Promise<unknown>;
  get(queue: string, options?: { noAck?: boolean }): Promise<AmqpMessage | false>;
  prefetch(count: number, global?: boolean): Promise<unknown>;
  ack(message: AmqpMessage): void;
  nack(message: AmqpMessage, allUpTo?: boolean, requeue?: boolean): void;
  close(): Promise<void>;
  // biome-ignore lint/suspicious/noExplicitAny: each event has its own
  on(event: string, listener: (...args: any[]) => void): unknown;
}

export interface AmqpConfirmChannel extends AmqpChannel {
  publish(
    exchange: string,
    key: string,
    body: Buffer,
    properties?: AmqpProperties,
    confirmed?: (error: unknown) => void,
  ): boolean;
}

export interface QueueOptions {
  readonly durable?: boolean;
  readonly exclusive?: boolean;
  readonly autoDelete?: boolean;
  readonly arguments?: Readonly<Record<string, string | number | boolean>>;
}

/** The socket below a connection. */
export interface AmqpStream {
  destroy(): void;
  pause?(): void;
  cork?(): void;
  uncork?(): void;
  // biome-ignore lint/suspicious/noExplicitAny: as many overloads as Node has
  write?(...args: any[]): boolean;
}

export interface ExchangeOptions {
  readonly durable?: boolean;
  readonly autoDelete?: boolean;
  readonly internal?: boolean;
}

export interface ConsumeArguments {
  readonly noAck?: boolean;
  readonly exclusive?: boolean;
  readonly arguments?: Readonly<Record<string, string | number>>;
}

/** How many messages wait, and how many consumers there are. */
export interface QueueState {
  readonly queue: string;
  readonly messageCount: number;
  readonly consumerCount: number;
}

export interface AmqpProperties {
  readonly persistent?: boolean;
  readonly mandatory?: boolean;
  readonly contentType?: string;
  readonly contentEncoding?: string;
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly priority?: number;
  readonly correlationId?: string;
  readonly replyTo?: string;
  readonly expiration?: string | number;
  readonly messageId?: string;
  readonly type?: string;
}

export interface AmqpMessage {
  readonly content: Buffer;
  readonly fields: {
    readonly deliveryTag: number;
    readonly redelivered: boolean;
    readonly exchange: string;
    readonly routingKey: string;
    readonly consumerTag?: string;
  };
  readonly properties: {
    // biome-ignore lint/suspicious/noExplicitAny: headers are whatever somebody put there
    readonly headers?: Readonly<Record<string, any>>;
    readonly contentType?: string;
    readonly contentEncoding?: string;
    readonly priority?: number;
    readonly correlationId?: string;
    readonly replyTo?: string;
    readonly expiration?: string;
    readonly messageId?: string;
    readonly type?: string;
    readonly deliveryMode?: number;
  };
}

/** AMQP's number for an error, if it has one: 404 there is no such thing, 406 it is another one, 403 it is refused. */
export function replyCodeOf(error: unknown): number | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'number' ? code : undefined;
}

/**
 * Whether an error says that a setting is wrong, so that repeating it cannot help: a user, a virtual host or a right that
 * there is not, or a queue that somebody declared otherwise.
 */
export function isMisconfiguration(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (isAcknowledgementTimeout(error)) return false;
  const code = replyCodeOf(error);
  if (code === 403 || code === 530 || (code === 406 && /inequivalent arg|invalid arg/.test(error.message))) {
    return true;
  }
  // amqplib does not say why a virtual host is refused: there is no such one, or not for this user.
  return /ACCESS[_-]REFUSED|NOT[_-]ALLOWED|Expected ConnectionOpenOk; got <ConnectionClose/.test(
    error.message,
  );
}

/**
 * Whether the server closed a channel because a message on it was not acknowledged within its `consumer_timeout`, which is
 * 30 minutes if nobody changed it.
 */
export function isAcknowledgementTimeout(error: unknown): boolean {
  return error instanceof Error && /delivery acknowledgement on channel \d+ timed out/.test(error.message);
}
