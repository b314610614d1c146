import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type SecureClientSessionOptions,
} from 'node:http2';
import type { Deadlines } from '../../../deadlines.js';
import { answerOf, frame } from './call.js';

/** A call of gRPC. */
export interface Call {
  /** Of the method. */
  readonly path: string;
  /** With room for its `frame` before it. */
  readonly message: Buffer;
  /** Milliseconds that it may take. */
  readonly ms: number;
  /** Of whoever has signed in. */
  readonly token: string | undefined;
}

/** A connection to one member, until it ends: HTTP/2, with a stream for each call. It keeps no process alive but by its calls. */
export class Connection {
  readonly #session: ClientHttp2Session;
  readonly #deadlines: Deadlines;
  #calls = 0;

  /** `onEnd` is told, once or more often, when it takes no more calls. */
  constructor(url: string, options: SecureClientSessionOptions, deadlines: Deadlines, onEnd: () => void) {
    this.#deadlines = deadlines;
    this.#session = connect(url, { ...options, maxSessionMemory: Number.MAX_SAFE_INTEGER });
    this.#session.unref();
    // Every call is told, too.
    this.#session.on('error', onEnd);
    this.#session.on('goaway', onEnd);
    this.#session.on('close', onEnd);
  }

  /** The answer, behind its frame. Rejects with `CallFailed`, or with what Node says of a connection that has ended. */
  async call({ path, message, ms, token }: Call): Promise<Buffer> {
    message.writeUInt8(0, 0);
    message.writeUInt32BE(message.length - frame, 1);
    const stream = this.#session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-timeout': `${Math.ceil(ms)}m`,
      ...(token !== undefined && { token }),
    });
    stream.end(message);
    this.#watchOver(stream, ms);
    return await answerOf(stream);
  }

  #watchOver(stream: ClientHttp2Stream, ms: number): void {
    const before = this.#heard;
    const cancel = this.#deadlines.after(ms, () => this.#giveUp(stream, before));
    stream.on('close', () => {
      cancel();
      if (--this.#calls === 0) this.#session.unref();
    });
    if (this.#calls++ === 0) this.#session.ref();
  }

  /**
   * What came while this process stood still has yet to be read. When nothing did, the connection may be dead, and all who
   * wait for it had better ask elsewhere.
   */
  #giveUp(stream: ClientHttp2Stream, heardBefore: number): void {
    stream.close(constants.NGHTTP2_CANCEL);
    stream.destroy(new Error('no answer in time'));
    setImmediate(() => {
      if (!this.#session.destroyed && this.#heard === heardBefore) this.#session.destroy();
    });
  }

  /** How many bytes. */
  get #heard(): number {
    return this.#session.socket.bytesRead;
  }

  /** Takes no more calls. Those that are under way are answered yet. */
  close(): void {
    if (this.#calls > 0) this.#session.close();
    else this.#session.destroy();
  }
}
