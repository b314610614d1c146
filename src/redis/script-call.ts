/** The digest of a script, how many keys there are, the keys, the arguments. */
export type ScriptWords = readonly (string | number)[];

// biome-ignore lint/suspicious/noExplicitAny: each script has its own reply
export type OnReply = (reply: any) => void;

/**
 * A call of a script in the form that ioredis, 5 and 6, sends and answers commands in. Its own `Command` is made for
 * everything that can be said to Redis, and costs as much as all else that is done for a call; this one can say `EVALSHA`.
 */
export class ScriptCall {
  readonly name = 'evalsha';
  readonly args: ScriptWords;
  readonly promise: Promise<unknown>;
  /** With the reply, with texts or with what ioredis reads them into. What instruments libraries puts its own in its place. */
  resolve!: (reply: unknown) => void;
  reject!: (error: Error) => void;
  /** Whether it was told to those who trace: ioredis sees to that. */
  isTraced = false;

  /**
   * `whenForgotten`: what answers in place of a server that has not got the script. `onReply`: told of the reply before
   * anybody who waits for it.
   */
  constructor(words: ScriptWords, whenForgotten?: () => Promise<unknown>, onReply?: OnReply) {
    this.args = words;
    this.promise = new Promise((resolve, reject) => {
      this.resolve = (reply) => {
        const texts = inTexts(reply);
        try {
          onReply?.(texts);
          resolve(texts);
        } catch (error) {
          reject(error);
        }
      };
      this.reject = (error) =>
        whenForgotten && isForgotten(error) ? resolve(whenForgotten()) : reject(error);
    });
  }

  /** Scripts answer the same in every protocol. */
  setReplyContext(): void {}

  toWritable(): string {
    const { args } = this;
    let text = `*${args.length + 1}\r\n$7\r\nevalsha\r\n`;
    for (let i = 0; i < args.length; i++) {
      const word = args[i] as string | number;
      if (typeof word === 'string') text += `$${Buffer.byteLength(word)}\r\n${word}\r\n`;
      else text += `$${`${word}`.length}\r\n${word}\r\n`;
    }
    return text;
  }
}

/** Whether a server says that it has not got the script. */
export function isForgotten(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}

/** The same list, with texts in it. */
function inTexts(reply: unknown): unknown {
  if (reply instanceof Buffer) return reply.toString();
  if (!Array.isArray(reply)) return reply;
  for (let i = 0; i < reply.length; i++) if (typeof reply[i] === 'object') reply[i] = inTexts(reply[i]);
  return reply;
}
