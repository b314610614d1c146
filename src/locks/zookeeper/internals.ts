import type { ZooKeeperClient } from './client.js';
import type { Packet } from './packets.js';

/**
 * What has to be done inside of `node-zookeeper-client` 1.1.3, for it offers no way from outside. Its last change was in
 * 2022; whatever is reached for here is looked for first.
 */
export interface Internals {
  socket?: Connection;
  pendingBuffer: Buffer | null;
  /** Of ours: the answer that is being read. */
  answer?: Buffer;
  readonly chrootPath?: string;
  readonly packetQueue: {
    queue: { readonly request: { readonly header: { readonly type: number } | null } }[];
  };
  onSocketConnected(this: Internals): void;
  onSocketData(this: Internals, data: Buffer): void;
  queue(request: Packet, done: (error: unknown) => void): void;
  registerDataWatcher(path: string, watcher: Watcher): void;
  registerChildWatcher(path: string, watcher: Watcher): void;
  setState(state: number): void;
  connect(): void;
}

interface Connection {
  readonly destroyed?: boolean;
  destroy(): void;
  cork?(): void;
  uncork?(): void;
  removeAllListeners?(event: 'data'): void;
  on?(event: 'data', listener: (data: Buffer) => void): void;
}

type Watcher = (event: { getPath(): string }) => void;

const nothing = Buffer.alloc(0);
const closing = -1;
const op = { auth: 100, setWatches: 101 } as const;

/** Whether it can be used at all. */
export function hasInternals(client: ZooKeeperClient): boolean {
  const inside = client.connectionManager;
  return (
    typeof inside?.onSocketData === 'function' &&
    typeof inside.onSocketConnected === 'function' &&
    Array.isArray(inside.packetQueue?.queue) &&
    typeof inside.queue === 'function' &&
    typeof inside.registerDataWatcher === 'function' &&
    typeof inside.registerChildWatcher === 'function' &&
    typeof inside.setState === 'function' &&
    typeof inside.connect === 'function'
  );
}

/**
 * Hands the library one answer at a time.
 *
 * An error code or an event that it does not know (`SESSION_MOVED`, which a server sends to whoever still asks it after the
 * session went elsewhere, is one) is thrown from its socket's listener and would end the process: it costs the connection
 * instead. And it keeps the beginning of an answer whose rest was cut off, takes what the next connection says for that
 * rest, and never connects again; answers that come together it copies once for each of them.
 */
export function survive(client: ZooKeeperClient, onError: (error: unknown) => void): void {
  const inside = client.connectionManager as Internals;
  const { onSocketData } = Object.getPrototypeOf(inside) as Internals;
  const answers = new Answers(inside.pendingBuffer, inside.socket);
  inside.pendingBuffer = null;
  inside.onSocketData = function (data) {
    const { socket } = this;
    try {
      for (const answer of answers.in(data, socket)) {
        this.answer = answer;
        onSocketData.call(this, answer);
        if (socket?.destroyed) return;
      }
    } catch (error) {
      onError(error);
      socket?.destroy();
    }
  };
  if (!inside.socket) return;
  // It was handed over connected.
  inside.socket.removeAllListeners?.('data');
  inside.socket.on?.('data', (data) => inside.onSocketData(data));
}

/** What arrives, cut into what was sent: each with its length before it. */
class Answers {
  #rest: Buffer;
  #from: unknown;

  constructor(begun: Buffer | null, from: unknown) {
    this.#rest = begun ?? nothing;
    this.#from = from;
  }

  *in(data: Buffer, from: unknown): Generator<Buffer> {
    let left = this.#from === from && this.#rest.length > 0 ? Buffer.concat([this.#rest, data]) : data;
    this.#from = from;
    this.#rest = nothing;
    while (left.length >= 4) {
      const end = 4 + left.readInt32BE();
      if (end < 4) throw new Error('What answers is no ZooKeeper: it sent a length below zero');
      if (left.length < end) break;
      // Most come alone.
      const isAll = left.length === end;
      const answer = isAll ? left : left.subarray(0, end);
      left = isAll ? nothing : left.subarray(end);
      yield answer;
    }
    this.#rest = left;
  }
}

/**
 * The library says who it is and what it watches each time it has reached a server, and keeps that to be sent when the
 * server has let it in. When a server does not, it would say it all once more to the next, and so on: with thousands of
 * places in line that is a storm.
 */
export function sayOnce(client: ZooKeeperClient): void {
  const inside = client.connectionManager as Internals;
  const { onSocketConnected } = Object.getPrototypeOf(inside) as Internals;
  const own: readonly (number | undefined)[] = [op.auth, op.setWatches];
  inside.onSocketConnected = function () {
    const { packetQueue } = this;
    packetQueue.queue = packetQueue.queue.filter(({ request }) => !own.includes(request.header?.type));
    onSocketConnected.call(this);
  };
}

/** Holds what is asked back, to be written at once when the result is called. The library writes each by itself. */
export function hold(client: ZooKeeperClient): () => void {
  const socket = client.connectionManager?.socket;
  socket?.cork?.();
  return () => socket?.uncork?.();
}

/** Leaves a server that does not answer: the library never does, and then tries the next. */
export function leaveServer(client: ZooKeeperClient): void {
  client.connectionManager?.socket?.destroy();
}

/** Ends the connection, and lets the session end by itself when its time is over. */
export function abandon(client: ZooKeeperClient): void {
  const inside = client.connectionManager as Internals;
  // While it waits to try the next server, the library would connect after all, and again and again.
  inside.connect = () => {};
  inside.onSocketConnected = () => leaveServer(client);
  inside.setState(closing);
  leaveServer(client);
}
