import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Pipe } from './pipe.js';
import { freePort } from './servers/ports.js';

/** What clients send, what the server sends, or both. */
export type Direction = 'requests' | 'replies' | 'both';

/** What has come since the start, or since `resetTraffic`. A burst is what arrived together, often one call. */
export interface Traffic {
  connections: number;
  requestBursts: number;
  requestBytes: number;
  replyBursts: number;
  replyBytes: number;
}

const noTraffic: Traffic = {
  connections: 0,
  requestBursts: 0,
  requestBytes: 0,
  replyBursts: 0,
  replyBytes: 0,
};

/** A connection through the proxy: a socket to either side, and a pipe each way. */
interface Link {
  readonly client: Socket;
  readonly upstream: Socket;
  readonly requests: Pipe;
  readonly replies: Pipe;
  /** Told when the connection has ended; answers go no further from now on. */
  dropped?: () => void;
  resetting?: NodeJS.Timeout;
}

/** An answer that is not to arrive. */
interface Drop {
  readonly containing: string;
  readonly done: () => void;
}

/** How long the server may go on after the first byte of an answer that is dropped. */
const dropMs = 20;

/** A proxy in front of a server on 127.0.0.1, which is named by its port, or by a URL that has no other host. */
export async function startProxy(server: number | string): Promise<TcpProxy> {
  const proxy = new TcpProxy(await freePort(), typeof server === 'number' ? server : portOf(server));
  await proxy.accept();
  return proxy;
}

function portOf(url: string): number {
  const [port, ...others] = Array.from(url.matchAll(/127\.0\.0\.1:(\d+)/g), ([, digits]) => Number(digits));
  if (port !== undefined && others.length === 0) return port;
  throw new Error(`Expected a URL with one host, 127.0.0.1 and its port, got ${url}`);
}

/**
 * A TCP proxy that does what networks do.
 *
 * A client that learns of other addresses from its server (Redis Cluster, Sentinel) goes round it.
 */
export class TcpProxy implements Disposable {
  readonly port: number;
  readonly #target: number;
  readonly #links = new Set<Link>();
  #listener: Server | undefined;
  #paused: Direction | undefined;
  #delayMs = 0;
  #pieceBytes = Number.POSITIVE_INFINITY;
  #traffic = { ...noTraffic };
  #drop: Drop | undefined;
  #onRequest: ((chunk: Buffer) => void) | undefined;

  constructor(port: number, target: number) {
    this.port = port;
    this.#target = target;
  }

  /** A URL of the server, with this proxy in the server's place. */
  url(serverUrl: string): string {
    return serverUrl.replace(`127.0.0.1:${this.#target}`, `127.0.0.1:${this.port}`);
  }

  /** How many connections there are. */
  get open(): number {
    return this.#links.size;
  }

  get traffic(): Readonly<Traffic> {
    return { ...this.#traffic };
  }

  resetTraffic(): void {
    this.#traffic = { ...noTraffic };
  }

  /** Shows each burst of requests to the listener as it arrives, to count more than bursts. One listener at a time. */
  onRequest(listener: (chunk: Buffer) => void): void {
    this.#onRequest = listener;
  }

  /**
   * Lets nothing through, not even the end of a connection, so that neither side learns of it. What is sent meanwhile
   * arrives after `resume`, or never, if `cut` comes first.
   */
  pause(direction: Direction = 'both'): void {
    this.#paused = direction;
    for (const link of this.#links) this.#applyPause(link);
  }

  resume(): void {
    this.#paused = undefined;
    for (const link of this.#links) this.#applyPause(link);
  }

  /** Makes everything arrive so many ms later, each way, until told otherwise. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /** Makes answers arrive in pieces of so many bytes at most, until told otherwise. */
  cutReplies(bytes: number): void {
    this.#pieceBytes = bytes;
  }

  /** Ends every connection, with a reset or in good order. Those who connect again are let through. */
  cut(how: 'reset' | 'end' = 'reset'): void {
    for (const link of this.#links) end(link, how);
  }

  /** Refuses those who connect from now on. Connections that are open go on. */
  refuse(): void {
    this.#listener?.close();
    this.#listener = undefined;
  }

  /** Lets connect again, after `refuse`. */
  async accept(): Promise<void> {
    if (this.#listener !== undefined) return;
    this.#listener = createServer({ allowHalfOpen: true }, (client) => this.#connect(client));
    this.#listener.listen(this.port, '127.0.0.1');
    await once(this.#listener, 'listening');
  }

  /**
   * Lets through the next burst of requests that contains the text, swallows what is answered on its connection, and
   * resets that. Resolves when it is done.
   *
   * The reset comes a moment after the first byte of an answer, since a protocol with frames of its own, such as HTTP/2,
   * answers before it has done anything. Who wants to be sure of the effect may `pause('replies')`, look for it, `cut`.
   */
  dropReply(containing = ''): Promise<void> {
    return new Promise((done) => {
      this.#drop = { containing, done };
    });
  }

  /** Refuses and cuts. */
  stop(): void {
    this.refuse();
    this.cut();
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  #connect(client: Socket): void {
    this.#traffic.connections++;
    const upstream = connect({ port: this.#target, host: '127.0.0.1', allowHalfOpen: true });
    const delayMs = (): number => this.#delayMs;
    const link: Link = {
      client,
      upstream,
      requests: new Pipe(client, upstream, {
        delayMs,
        pieceBytes: () => Number.POSITIVE_INFINITY,
        passes: (chunk) => this.#seeRequest(link, chunk),
      }),
      replies: new Pipe(upstream, client, {
        delayMs,
        pieceBytes: () => this.#pieceBytes,
        passes: (chunk) => this.#seeReply(link, chunk),
      }),
    };
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      socket.on('error', () => end(link, 'reset'));
      socket.once('close', () => this.#closed(link));
    }
    this.#links.add(link);
    this.#applyPause(link);
  }

  #seeRequest(link: Link, chunk: Buffer): boolean {
    this.#traffic.requestBursts++;
    this.#traffic.requestBytes += chunk.length;
    this.#onRequest?.(chunk);
    if (this.#drop && chunk.includes(this.#drop.containing)) {
      link.dropped = this.#drop.done;
      this.#drop = undefined;
    }
    return true;
  }

  #seeReply(link: Link, chunk: Buffer): boolean {
    this.#traffic.replyBursts++;
    this.#traffic.replyBytes += chunk.length;
    if (link.dropped === undefined) return true;
    link.resetting ??= setTimeout(() => end(link, 'reset'), dropMs);
    return false;
  }

  #closed(link: Link): void {
    clearTimeout(link.resetting);
    this.#links.delete(link);
    end(link, 'end');
    link.dropped?.();
  }

  #applyPause({ requests, replies }: Link): void {
    const paused = (direction: Direction): boolean => this.#paused === 'both' || this.#paused === direction;
    paused('requests') ? requests.pause() : requests.resume();
    paused('replies') ? replies.pause() : replies.resume();
  }
}

function end({ client, upstream }: Link, how: 'reset' | 'end'): void {
  for (const socket of [client, upstream]) {
    if (how === 'reset') socket.resetAndDestroy();
    else socket.destroy();
  }
}
