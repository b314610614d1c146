import type { CallChannel } from '../../rabbitmq/channel.js';
import type { AmqpChannel } from '../../rabbitmq/client.js';
import { patternsOf } from './ladder.js';
import type { CeleryQueue, Names } from './names.js';

/**
 * How often a message may come back to its queue without having been settled. Whoever runs tasks sets it aside long
 * before; this is for what kills its worker before it is even looked at, and for connections that break all the time.
 */
const deliveryLimit = 100;

/** For queues that are read and put back by whoever looks into them: no number of times is too often. */
const noLimit = 2_000_000_000;

const quorum = { 'x-queue-type': 'quorum' } as const;

/**
 * What is dead-lettered stays where it was until it has arrived: without `reject-publish` the strategy does not count.
 */
const safely = { 'x-dead-letter-strategy': 'at-least-once', 'x-overflow': 'reject-publish' } as const;

/**
 * What a queue consists of in RabbitMQ, all of it durable and replicated. Declaring is safe to repeat, and whatever was
 * there stays as it is.
 */
export class Topology {
  readonly #channel: CallChannel;
  readonly #names: Names;
  readonly #news: string;
  #queue: Promise<void> | undefined;
  #ladder: Promise<void> | undefined;

  constructor(channel: CallChannel, names: Names, news: string) {
    this.#channel = channel;
    this.#names = names;
    this.#news = news;
  }

  /** The queue itself, with what was set apart, and the notes of its rooms. */
  queue(): Promise<void> {
    this.#queue ??= this.#declareQueue().catch((error) => {
      this.#queue = undefined;
      throw error;
    });
    return this.#queue;
  }

  /** The way for delayed messages. */
  ladder(): Promise<void> {
    this.#ladder ??= this.queue()
      .then(() => this.#declareLadder())
      .catch((error) => {
        this.#ladder = undefined;
        throw error;
      });
    return this.#ladder;
  }

  /** Somebody has removed some of it: it is declared once more. */
  forget(): void {
    this.#queue = undefined;
    this.#ladder = undefined;
  }

  async #declareQueue(): Promise<void> {
    const { work, celery, aside, notes } = this.#names;
    await this.#channel.call(async (channel) => {
      await channel.assertExchange(this.#news, 'direct', { durable: true });
      // What was set apart first, for the work queue is to find it.
      await channel.assertQueue(aside, {
        durable: true,
        arguments: { ...quorum, 'x-delivery-limit': noLimit },
      });
      await channel.assertQueue(notes, {
        durable: true,
        arguments: { ...quorum, 'x-delivery-limit': noLimit },
      });
      if (celery) return await declareAsCelery(channel, work, celery);
      await channel.assertQueue(work, {
        durable: true,
        arguments: {
          ...quorum,
          ...safely,
          'x-delivery-limit': deliveryLimit,
          'x-dead-letter-exchange': '',
          'x-dead-letter-routing-key': aside,
        },
      });
    });
  }

  /**
   * Each step is an exchange and a queue: what is to rest there goes into the queue, and comes out of it after the step's
   * time into the exchange of the next shorter step, as does at once what is not to rest. From the shortest it goes to
   * the work queue. The shortest is declared first, so that nothing ever falls off the end.
   */
  async #declareLadder(): Promise<void> {
    const { work, ladder } = this.#names;
    for (const [step, name] of ladder.entries()) {
      const next = ladder[step - 1];
      const { rest, pass } = patternsOf(step);
      // A call for each: on a busy server all of them together take longer than a call may.
      await this.#channel.call(async (channel) => {
        await channel.assertExchange(name, 'topic', { durable: true });
        await channel.assertQueue(name, {
          durable: true,
          arguments: {
            ...quorum,
            ...safely,
            'x-delivery-limit': noLimit,
            'x-message-ttl': 100 * 2 ** step,
            'x-dead-letter-exchange': next ?? '',
            // The last step leads to the queue; the others keep the key, which has the rest of the way.
            ...(next === undefined && { 'x-dead-letter-routing-key': work }),
          },
        });
        await channel.bindQueue(name, name, rest);
        if (next === undefined) await channel.bindQueue(work, name, pass);
        else await channel.bindExchange(next, name, pass);
      });
    }
  }
}

/**
 * To the letter what Celery declares, for RabbitMQ refuses to whoever comes second what is not: a classic queue, and an
 * exchange of its name that it is bound to by its name. (Celery publishes to the default exchange.)
 */
async function declareAsCelery(
  channel: AmqpChannel,
  queue: string,
  { maxPriority }: CeleryQueue,
): Promise<void> {
  await channel.assertExchange(queue, 'direct', { durable: true });
  const priorities = maxPriority === undefined ? undefined : { 'x-max-priority': maxPriority };
  await channel.assertQueue(queue, { durable: true, ...(priorities && { arguments: priorities }) });
  await channel.bindQueue(queue, queue, queue);
}
