import { randomBytes } from 'node:crypto';
import { openChannel } from '../../rabbitmq/channel.js';
import type { AmqpMessage } from '../../rabbitmq/client.js';
import type { RabbitConnection } from '../../rabbitmq/connection.js';
import type { RoomFacts } from './book.js';

/** What the workers of a queue tell each other. It is for those who are there, and nothing depends on its arriving. */
export type News =
  /** A room that has messages. */
  | { readonly kind: 'room'; readonly room: RoomFacts }
  /** Rooms that somebody stands in line for, or has just parked in or taken from. */
  | { readonly kind: 'attended'; readonly resources: readonly string[] }
  /** A room that was removed. */
  | { readonly kind: 'gone'; readonly name: string }
  /** What have you in hand, and what rooms do you know? */
  | { readonly kind: 'ask' }
  /** These rooms look untended from here: whoever keeps one answers whether they are mine to see to. */
  | { readonly kind: 'claim'; readonly names: readonly string[] }
  | { readonly kind: 'revoked'; readonly id: string };

/** What a worker answers who is asked. */
export interface Answer {
  /** In hand, and at work. */
  readonly running: number;
  /** In hand, and waiting for a slot there. */
  readonly waiting: number;
  readonly rooms: readonly RoomFacts[];
  /** Of the rooms claimed, those that it keeps and gives away. */
  readonly given?: readonly string[];
}

/** The key for what concerns no queue. */
const all = '*';

/** How long answers are waited for, in milliseconds: somebody may be frozen. */
const patience = 1_000;

/** Tells the workers of a queue, or asks them. */
export class NewsDesk {
  readonly #connection: RabbitConnection;
  readonly #exchange: string;
  readonly #questions = new Map<string, (answer: Answer) => void>();
  #opening: Promise<import('../../rabbitmq/channel.js').OpenChannel> | undefined;

  constructor(connection: RabbitConnection, exchange: string) {
    this.#connection = connection;
    this.#exchange = exchange;
  }

  async tell(key: string, news: News): Promise<void> {
    const opened = await this.#open();
    opened.send((channel) => channel.publish(this.#exchange, key, bodyOf(news)));
  }

  async tellAll(news: News): Promise<void> {
    await this.tell(all, news);
  }

  /** Answers of so many workers, or of those who answer in time. */
  async ask(key: string, workers: number, question: News = { kind: 'ask' }): Promise<Answer[]> {
    if (workers <= 0) return [];
    const opened = await this.#open();
    const answers: Answer[] = [];
    const correlationId = randomBytes(12).toString('hex');
    const over = new AbortController();
    const late = setTimeout(() => over.abort(), patience);
    const unlisten = opened.onClose(() => over.abort());
    this.#questions.set(correlationId, (answer) => {
      if (answers.push(answer) >= workers) over.abort();
    });
    opened.send((channel) =>
      channel.publish(this.#exchange, key, bodyOf(question), {
        correlationId,
        replyTo: 'amq.rabbitmq.reply-to',
      }),
    );
    await aborted(over.signal);
    clearTimeout(late);
    unlisten();
    this.#questions.delete(correlationId);
    return answers;
  }

  async answer({ properties }: AmqpMessage, answer: Answer): Promise<void> {
    const { replyTo, correlationId } = properties;
    if (replyTo === undefined || correlationId === undefined) return;
    const opened = await this.#open();
    opened.send((channel) => channel.publish('', replyTo, bodyOf(answer), { correlationId }));
  }

  #open(): Promise<import('../../rabbitmq/channel.js').OpenChannel> {
    this.#opening ??= this.#begin().catch((error) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async #begin() {
    const opened = await openChannel(this.#connection);
    opened.onClose(() => {
      this.#opening = undefined;
    });
    await opened.call((channel) =>
      channel.consume('amq.rabbitmq.reply-to', (message) => this.#onAnswer(message), { noAck: true }),
    );
    return opened;
  }

  #onAnswer(message: AmqpMessage | null): void {
    const question = this.#questions.get(message?.properties.correlationId ?? '');
    const answer = message && (read(message) as Answer | undefined);
    if (answer && question) question(answer);
  }
}

/** Hears the news of some queues, for as long as its connection lasts. */
export async function hear(
  connection: RabbitConnection,
  exchange: string,
  keys: readonly string[],
  onNews: (key: string, news: News, message: AmqpMessage) => void,
) {
  const opened = await openChannel(connection);
  await opened.call(async (channel) => {
    const { queue } = await channel.assertQueue('', { exclusive: true, autoDelete: true });
    for (const key of [...keys, all]) await channel.bindQueue(queue, exchange, key);
    await channel.consume(
      queue,
      (message) => {
        const news = message && (read(message) as News | undefined);
        if (news) onNews(message.fields.routingKey, news, message);
      },
      { noAck: true },
    );
  });
  return opened;
}

/** Nothing when somebody else wrote it: thrown here, an error would end the connection. */
function read(message: AmqpMessage): unknown {
  try {
    return JSON.parse(message.content.toString()) ?? undefined;
  } catch {
    return undefined;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function bodyOf(value: News | Answer): Buffer {
  return Buffer.from(JSON.stringify(value));
}
