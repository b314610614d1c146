import { tracingChannel } from 'node:diagnostics_channel';
import type { AbstractConnector, Command, Redis, RedisOptions } from 'ioredis';
import { type RedisClient, runScript } from './client.js';
import { connectorTo } from './connector.js';
import { type OnReply, ScriptCall, type ScriptWords } from './script-call.js';

type Options = Omit<RedisOptions, 'replyMapping'> & { socketTimeout: number };

export type OwnClient = new (options: Options) => RedisClient;

/** Where ioredis tells of commands to those who trace. */
const commands = tracingChannel('ioredis:command');

type QueuedItem = NonNullable<ReturnType<Redis['commandQueue']['shift']>>;

type SendCommand = Redis['sendCommand'];

/** A client of ioredis, made for many small scripts: a call of one costs less, and so does its `socketTimeout`. */
export function ownClient(base: typeof Redis, connector: typeof AbstractConnector): OwnClient {
  const method = new Watched(base);
  return class extends base {
    readonly silence: Silence;

    constructor({ socketTimeout, ...options }: Options) {
      const { host, port, tls } = options;
      super(
        host !== undefined && port !== undefined && !tls
          ? { ...options, Connector: connectorTo(connector, { host, port }, () => this) }
          : options,
      );
      this.silence = new Silence(this, socketTimeout);
    }

    override sendCommand(...args: Parameters<SendCommand>): ReturnType<SendCommand> {
      this.silence?.begin();
      return super.sendCommand(...args);
    }

    [runScript](
      words: ScriptWords,
      whenForgotten?: () => Promise<unknown>,
      onReply?: OnReply,
    ): Promise<unknown> {
      const call = new ScriptCall(words, whenForgotten, onReply);
      const { stream, condition } = this;
      const isTraced = method.isWrapped || commands.hasSubscribers !== false;
      if (isTraced || this.status !== 'ready' || !stream.writable) {
        return this.sendCommand(call as unknown as Command) as Promise<unknown>;
      }
      // What is left of `sendCommand` where all that it looks for is not the case.
      this.silence.begin();
      stream.write(call.toWritable());
      const item = { command: call, stream: undefined, select: condition?.select ?? 0 };
      this.commandQueue.push(item as unknown as QueuedItem);
      return call.promise;
    }
  };
}

/** The method that sends commands. What instruments libraries wraps it, to see every command. */
class Watched {
  readonly #base: typeof Redis;
  #method: SendCommand | undefined;
  #isWrapped = false;

  constructor(base: typeof Redis) {
    this.#base = base;
  }

  get isWrapped(): boolean {
    const method = this.#base.prototype.sendCommand;
    if (method === this.#method) return this.#isWrapped;
    this.#method = method;
    // OpenTelemetry marks it, Datadog has it inherit from what it wraps, and most others give it no name.
    const isMarked = '__wrapped' in method || Object.getPrototypeOf(method) !== Function.prototype;
    this.#isWrapped = isMarked || method.name !== 'sendCommand';
    return this.#isWrapped;
  }
}

const looks = 5;

/**
 * Gives a connection up on which nothing was heard for so many milliseconds while an answer was owed. What ioredis has for
 * that takes a timer and a listener for each answer.
 *
 * It counts how often it looked in vain, not the time, and the last time it looks again when what has come is read: so it
 * does not count when it was this process that stood still.
 */
class Silence {
  readonly #client: Pick<Redis, 'stream' | 'commandQueue'>;
  readonly #limit: number;
  #timer: NodeJS.Timeout | undefined;
  #stream: Redis['stream'] | undefined;
  #read = 0;
  #inVain = 0;

  constructor(client: Pick<Redis, 'stream' | 'commandQueue'>, limit: number) {
    this.#client = client;
    this.#limit = limit;
  }

  /** Something is sent. */
  begin(): void {
    if (this.#timer) return;
    this.#stream = undefined;
    this.#timer = setInterval(this.#look, this.#limit / looks).unref();
  }

  readonly #look = (): void => {
    const { stream, commandQueue } = this.#client;
    if (commandQueue.length === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    if (this.#hasHeard) {
      this.#stream = stream;
      this.#read = stream.bytesRead;
      this.#inVain = 0;
    } else if (++this.#inVain === looks) setImmediate(this.#giveUp);
  };

  readonly #giveUp = (): void => {
    const { stream, commandQueue } = this.#client;
    if (commandQueue.length === 0 || this.#hasHeard) return;
    stream.destroy(new Error(`nothing was heard for ${this.#limit} ms`));
  };

  get #hasHeard(): boolean {
    const { stream } = this.#client;
    return stream !== this.#stream || stream.bytesRead !== this.#read;
  }
}
