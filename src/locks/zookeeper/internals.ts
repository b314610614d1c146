import type { ZooKeeperClient } from './client.js';

/**
 * What has to be done inside of `node-zookeeper-client` 1.1.3, for it offers no way from outside. Its last change was in
 * 2022; whatever is reached for here is looked for first.
 */
export interface Internals {
  socket?: { destroy(): void; cork?(): void; uncork?(): void };
  onSocketData(this: Internals, data: Buffer): void;
  queue(request: Packet, done: (error: unknown) => void): void;
  setState(state: number): void;
  connect(): void;
}

/** A request, as its queue takes it. */
interface Packet {
  /** `xid` is filled in when it is sent. `type` says how the answer is read, and is not what is sent. */
  readonly header: { readonly type: number; xid: number };
  readonly payload: undefined;
  toBuffer(): Buffer;
}

const closing = -1;
const op = { delete: 2, sync: 9 } as const;

/** Whether it can be used at all. */
export function hasInternals(client: ZooKeeperClient): boolean {
  const inside = client.connectionManager;
  return (
    typeof inside?.onSocketData === 'function' &&
    typeof inside.queue === 'function' &&
    typeof inside.setState === 'function' &&
    typeof inside.connect === 'function'
  );
}

/**
 * An error code or an event that the library does not know (`SESSION_MOVED`, which a server sends to whoever still asks it
 * after the session went elsewhere, is one) is thrown from its socket's listener and would end the process. It costs the
 * connection instead.
 */
export function survive(client: ZooKeeperClient, onError: (error: unknown) => void): void {
  const inside = client.connectionManager as Internals;
  const { onSocketData } = Object.getPrototypeOf(inside) as Internals;
  inside.onSocketData = function (data) {
    try {
      onSocketData.call(this, data);
    } catch (error) {
      onError(error);
      this.socket?.destroy();
    }
  };
}

/**
 * Sends all that is asked in this turn of the event loop at once. The library writes each request by itself, and to write is
 * the dearest part of asking.
 */
export function sendTogether(client: ZooKeeperClient): void {
  const socket = client.connectionManager?.socket;
  if (!socket?.cork) return;
  socket.cork();
  process.nextTick(() => socket.uncork?.());
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
  inside.setState(closing);
  leaveServer(client);
}

/**
 * Brings the server that we are connected to up to date, so that what is read behind it is no older than now. The library
 * cannot read the answer, and is made to take it for that of a delete: a header and nothing else.
 */
export function sync(client: ZooKeeperClient, path: string, done: (error: unknown) => void): void {
  const packet: Packet = {
    header: { type: op.delete, xid: 0 },
    payload: undefined,
    toBuffer: () => {
      const text = Buffer.from(path);
      const buffer = Buffer.alloc(16 + text.length);
      const fields = [12 + text.length, packet.header.xid, op.sync, text.length];
      fields.forEach((field, i) => {
        buffer.writeInt32BE(field, 4 * i);
      });
      text.copy(buffer, 16);
      return buffer;
    },
  };
  client.connectionManager?.queue(packet, done);
}
