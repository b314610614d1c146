import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type SecureContextOptions } from 'node:tls';
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
  /** Its own: what a session does with a socket that does not answer may take until the other side says something. */
  readonly #socket: Socket;
  readonly #deadlines: Deadlines;
  #calls = 0;

  /** `onEnd` is told, once or more often, when it takes no more calls. */
  constructor(url: string, credentials: SecureContextOptions, deadlines: Deadlines, onEnd: () => void) {
    this.#deadlines = deadlines;
    const socket = open(new URL(url), credentials);
    this.#socket = socket.unref();
    const maxSessionMemory = Number.MAX_SAFE_INTEGER;
    this.#session = connect(url, { createConnection: () => socket, maxSessionMemory });
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
      'grpc-timeout': `${Math.min(Math.ceil(ms), longest)}m`,
      ...(token !== undefined && { token }),
    });
    stream.end(message);
    this.#watchOver(stream, ms);
    return await answerOf(stream);
  }

  #watchOver(stream: ClientHttp2Stream, ms: number): void {
    const before = this.#socket.bytesRead;
    const cancel = this.#deadlines.after(ms, () => this.#giveUp(stream, before));
    stream.on('close', () => {
      cancel();
      if (--this.#calls === 0) this.#socket.unref();
    });
    if (this.#calls++ === 0) this.#socket.ref();
  }

  /**
   * What came while this process stood still has yet to be read. When nothing did, the connection may be dead, and all who
   * wait for it had better ask elsewhere.
   */
  #giveUp(stream: ClientHttp2Stream, heardBefore: number): void {
    stream.close(constants.NGHTTP2_CANCEL);
    stream.destroy(new Error('no answer in time'));
    setImmediate(() => {
      if (this.#socket.bytesRead === heardBefore) this.#end();
    });
  }

  /** Takes no more calls. Those that are under way may be answered yet, within their time. */
  close(): void {
    if (this.#calls > 0) this.#session.close();
    else this.#end();
  }

  #end(): void {
    this.#session.destroy();
    this.#socket.destroy();
  }
}

/** In milliseconds: what gRPC says has eight digits at most. */
const longest = 99_999_999;

function open({ protocol, hostname, port }: URL, credentials: SecureContextOptions): Socket {
  const isSecure = protocol === 'https:';
  const host = hostname.replace(/^\[|\]$/g, '');
  const where = { host, port: Number(port) || (isSecure ? 443 : 80), noDelay: true, ...alive };
  if (!isSecure) return connectTcp(where);
  // A certificate that is for an address is checked by that.
  return connectTls({
    ...where,
    ...credentials,
    ALPNProtocols: ['h2'],
    ...(!isIP(host) && { servername: host }),
  });
}

/** One that died in silence is found out so. In milliseconds. */
const alive = { keepAlive: true, keepAliveInitialDelay: 10_000 };
