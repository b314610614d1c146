import type { EtcdClient, EtcdStream, Transaction, WatchAnswer } from '../../src/locks/etcd/client.js';
import { until } from '../support/until.js';
import { operationsOf, RecordingClient } from './etcd-kit.js';

type Answer = ReturnType<EtcdClient['kv']['txn']>;
export type Operations = 'request_put' | 'request_delete_range' | 'request_range';

export const has = (request: Transaction, kind: Operations): boolean =>
  operationsOf(request).some(
    (operation) => kind in operation || ('request_txn' in operation && has(operation.request_txn, kind)),
  );

/** A client that carries some transactions out later than it is asked, and tells some events later than it hears them. */
export class SlowClient extends RecordingClient {
  /** The names of the keys that events told of, since this was emptied. */
  readonly told: string[] = [];
  readonly #prefix: string;
  #held: (() => void)[] | undefined;
  #mayOpen = Promise.resolve();
  readonly #onBroken: ((error: Error) => void)[] = [];

  /** `prefix`: what the names of all keys begin with. */
  constructor(url: string, prefix: string) {
    super(url);
    this.#prefix = prefix;
    const { watchClient } = this;
    Object.assign(this, {
      watchClient: {
        watch: async () => {
          await this.#mayOpen;
          return this.#slow(await watchClient.watch());
        },
      },
    } satisfies Partial<EtcdClient>);
  }

  /** The next transaction with such an operation goes as is said here. */
  once(kind: Operations, goes: (carryOut: () => Answer) => Answer): void {
    const { txn } = this.kv;
    this.kv.txn = (request, options) => {
      if (!has(request, kind)) return txn(request, options);
      this.kv.txn = txn;
      return goes(() => txn(request));
    };
  }

  /** The next transaction with such an operation fails, as if its connection broke. Returns what carries it out all the same. */
  lose(kind: Operations): () => Promise<unknown> {
    let lost: (() => Answer) | undefined;
    this.once(kind, (carryOut) => {
      lost = carryOut;
      return Promise.reject(new Error('14 UNAVAILABLE: connection dropped'));
    });
    return async () => {
      await until(() => lost !== undefined);
      return await lost!();
    };
  }

  /** The next transaction with such an operation waits. `asked` resolves when there is one, `done` when it is carried out. */
  holdUp(kind: Operations): { asked: Promise<void>; carryOut(): void; done: Promise<void> } {
    let [carryOut, end] = [() => {}, () => {}];
    const held = new Promise<void>((resolve) => {
      carryOut = resolve;
    });
    const done = new Promise<void>((resolve) => {
      end = resolve;
    });
    const asked = new Promise<void>((resolve) =>
      this.once(kind, async (carryOut) => {
        resolve();
        await held;
        const answer = await carryOut();
        end();
        return answer;
      }),
    );
    return { asked, carryOut, done };
  }

  /** The next transaction with such an operation is answered late. `carriedOut` resolves when it could be. */
  answerLate(kind: Operations): { carriedOut: Promise<unknown>; answer(): void } {
    let answer = () => {};
    const held = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const carriedOut = new Promise<Awaited<Answer>>((resolve) =>
      this.once(kind, async (carryOut) => {
        resolve(await carryOut());
        await held;
        return await carriedOut;
      }),
    );
    return { carriedOut, answer };
  }

  /** Tells no events until what it returns is called: each time it tells what is next, and whether there was anything. */
  stopEvents(): () => boolean {
    const held: (() => void)[] = [];
    this.#held = held;
    return () => {
      const tell = held.shift();
      tell?.();
      return tell !== undefined;
    };
  }

  /** The stream breaks on which events are told, and is opened anew when what is returned is called. */
  async breakStream(): Promise<() => void> {
    await until(() => this.#onBroken.length > 0);
    let open = () => {};
    this.#mayOpen = new Promise((resolve) => {
      open = resolve;
    });
    for (const broken of this.#onBroken.splice(0)) broken(new Error('14 UNAVAILABLE: connection dropped'));
    return open;
  }

  #slow<Request>(stream: EtcdStream<Request, WatchAnswer>): EtcdStream<Request, WatchAnswer> {
    let broken = false;
    return {
      on: (event: string, listener: (of: never) => void) => {
        if (event === 'error') {
          this.#onBroken.push((error) => {
            broken = true;
            stream.cancel();
            listener(error as never);
          });
        }
        return stream.on(event as 'data', (answer) => {
          if (broken) return undefined;
          const keys = event === 'data' ? answer.events.map(({ kv }) => kv.key.toString()) : [];
          this.told.push(...keys.map((key) => key.slice(this.#prefix.length)));
          if (event !== 'data' || !this.#held) return listener(answer as never);
          // Several that come at once are told one by one too.
          const each = answer.events.map((one) => () => listener({ ...answer, events: [one] } as never));
          this.#held.push(...each);
        });
      },
      write: (request) => stream.write(request),
      end: () => stream.end(),
      cancel: () => stream.cancel(),
    };
  }

  /** The names under which keys were put. */
  get put(): string[] {
    const puts = this.transactions.flatMap(({ success = [] }) => success);
    return puts.flatMap((one) =>
      'request_put' in one ? [one.request_put.key.toString().slice(this.#prefix.length)] : [],
    );
  }
}
