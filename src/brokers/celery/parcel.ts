import type { Message } from '../../message.js';

/** A message as it travels where properties and headers go beside the body. */
export interface Parcel {
  readonly body: Buffer;
  readonly properties: ParcelProperties;
}

/** Those of AMQP that are used here; others go by unseen. */
export interface ParcelProperties {
  readonly contentType?: string | undefined;
  readonly contentEncoding?: string | undefined;
  /** Survives a restart of the broker, in a queue that does. */
  readonly persistent?: boolean | undefined;
  readonly priority?: number | undefined;
  readonly correlationId?: string | undefined;
  readonly replyTo?: string | undefined;
  readonly headers?: Readonly<Record<string, unknown>> | undefined;
}

/** How the messages of a queue are written. */
export interface Wire {
  encode(message: Message): Parcel;
  /** Throws `MalformedMessageError` with the reason when it is no message. */
  decode(parcel: Parcel): Message;
}
