import { MalformedMessageError } from '../../errors.js';
import type { Message } from '../../message.js';
import type { AmqpMessage } from '../../rabbitmq/client.js';
import type { Lane } from './lane.js';
import { messageIn } from './wire.js';

export interface IntakeHost {
  readonly isFetching: boolean;
  /** The largest message to hand over, in bytes. */
  readonly largest: number;
  /** One was acknowledged that was not handed over. */
  onSetApart(): void;
  readonly onError: (error: unknown) => void;
}

/**
 * What came from the queues, before it is handed over: what is not to be goes back, is sent on, or is set apart. In each case
 * it is published first, and acknowledged then.
 */
export class Intake {
  readonly #host: IntakeHost;
  readonly #underWay = new Set<Promise<void>>();

  constructor(host: IntakeHost) {
    this.#host = host;
  }

  /** Whether it is to be handed over. */
  accepts(lane: Lane, message: AmqpMessage): boolean {
    if (!this.#host.isFetching) void this.putBack(lane, message);
    else if (lane.isReturned(message)) void this.#instead(lane, message, lane.putBackLost(message));
    else if (lane.isEarly(message)) void this.quietly(lane.sendOn(message));
    else return true;
    return false;
  }

  async putBack(lane: Lane, message: AmqpMessage): Promise<void> {
    await this.#instead(lane, message, lane.putBack(message));
  }

  /** Nothing when there is no message in it, which sets it apart. */
  read(lane: Lane, raw: AmqpMessage): Message | undefined {
    const { largest } = this.#host;
    try {
      const { length } = raw.content;
      if (length <= largest) return messageIn(lane.names, raw);
      throw new MalformedMessageError(`it is ${length} bytes, and ${largest} are allowed`);
    } catch (error) {
      void this.quietly(this.#setApart(lane, raw, (error as Error).message));
      return undefined;
    }
  }

  /** What goes on in the background, and is waited for when the worker stops. Never rejects. */
  async quietly(work: Promise<unknown>): Promise<void> {
    const ended = work.then(() => {}, this.#host.onError);
    this.#underWay.add(ended);
    await ended;
    this.#underWay.delete(ended);
  }

  /** Resolves when what is under way now is over. */
  async over(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  async #instead(lane: Lane, message: AmqpMessage, published: Promise<void>): Promise<void> {
    await this.quietly(published.then(() => lane.ackFetched(message)));
  }

  async #setApart(lane: Lane, raw: AmqpMessage, reason: string): Promise<void> {
    await lane.conclude({ raw, losses: 0, tap: undefined }, { kind: 'aside', reason });
    lane.ackFetched(raw);
    this.#host.onSetApart();
  }
}
