import { type CallChannel, openChannel } from '../../rabbitmq/channel.js';
import type { AmqpMessage } from '../../rabbitmq/client.js';
import type { RabbitConnection } from '../../rabbitmq/connection.js';
import type { Depth } from '../broker.js';
import { factsIn } from './keeper.js';
import type { Names } from './names.js';
import type { Answer, NewsDesk } from './news.js';
import type { Rooms } from './rooms.js';

const nothing: Depth = { ready: 0, delayed: 0, parked: 0, running: 0, apart: 0 };

/**
 * What is where, as seen by somebody who consumes nothing: what queues hold the server tells, what workers have in hand they
 * tell themselves. One that does not answer within a second (it is frozen, or was) is not counted. All this is asked one
 * after the other, so that what a worker takes in between may be missed.
 */
export class Census {
  readonly #connection: RabbitConnection;
  readonly #names: Names;
  readonly #calls: CallChannel;
  readonly #desk: NewsDesk;
  readonly #rooms: Rooms;

  constructor(parts: {
    connection: RabbitConnection;
    names: Names;
    calls: CallChannel;
    desk: NewsDesk;
    rooms: Rooms;
  }) {
    this.#connection = parts.connection;
    this.#names = parts.names;
    this.#calls = parts.calls;
    this.#desk = parts.desk;
    this.#rooms = parts.rooms;
  }

  async depth(): Promise<Depth> {
    const { work, aside, ladder } = this.#names;
    if ((await this.#count(work)) === undefined) return nothing;
    const { answers, rooms } = await this.#ask();
    // Its queue after what comes into it: a message that moves meanwhile is rather counted twice than not at all.
    const delayed = (await this.#hasLadder()) ? await this.#countAll(ladder) : 0;
    const parked = await this.#countAll(rooms);
    return {
      ready: ((await this.#count(work)) ?? 0) + sum(answers.map(({ waiting }) => waiting)),
      delayed,
      parked,
      running: sum(answers.map(({ running }) => running)),
      apart: (await this.#count(aside)) ?? 0,
    };
  }

  /** Drops what no worker has in hand, and tells how many. */
  async purge(): Promise<number> {
    const { work, ladder } = this.#names;
    if ((await this.#count(work)) === undefined) return 0;
    const { rooms } = await this.#ask();
    const queues = [work, ...((await this.#hasLadder()) ? ladder : []), ...rooms];
    return sum(await Promise.all(queues.map((name) => this.#rooms.purge(name))));
  }

  /** What the queues of its rooms are called. */
  async rooms(): Promise<string[]> {
    if ((await this.#count(this.#names.notes)) === undefined) return [];
    return (await this.#ask()).rooms;
  }

  /** What the workers of the queue answer, and all the rooms that are known to them, or to nobody. */
  async #ask(): Promise<{ answers: Answer[]; rooms: string[] }> {
    const { notes, news } = this.#names;
    const state = await this.#calls.call((channel) => channel.checkQueue(notes));
    const answers = await this.#desk.ask(news, state.consumerCount);
    const names = answers.flatMap(({ rooms }) => rooms.map(({ name }) => name));
    if (state.messageCount > 0) names.push(...(await this.#readNotes()));
    return { answers, rooms: [...new Set(names)] };
  }

  /** Notes that wait for a worker. They go back where they were with the channel. */
  async #readNotes(): Promise<string[]> {
    const opened = await openChannel(this.#connection);
    const names: string[] = [];
    const next = () => opened.call((channel) => channel.get(this.#names.notes));
    try {
      for (let note: AmqpMessage | false = await next(); note; note = await next()) {
        const facts = factsIn(note);
        if (facts) names.push(facts.name);
      }
    } finally {
      await opened.close();
    }
    return names;
  }

  /** The longest step is declared last. */
  async #hasLadder(): Promise<boolean> {
    return (await this.#count(this.#names.ladder.at(-1) as string)) !== undefined;
  }

  async #countAll(names: readonly string[]): Promise<number> {
    return sum(await Promise.all(names.map((name) => this.#count(name))));
  }

  async #count(name: string): Promise<number | undefined> {
    return await this.#rooms.count(name);
  }
}

function sum(counts: readonly (number | undefined)[]): number {
  return counts.reduce<number>((total, count) => total + (count ?? 0), 0);
}
