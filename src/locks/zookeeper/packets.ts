import type { Stat, ZooKeeperClient } from './client.js';
import type { Internals, Packet } from './internals.js';

/** Requests that the library does not have, for which it is made to read the answer to another one. */
const op = { create: 1, delete: 2, sync: 9, create2: 15 } as const;

/**
 * Brings the server that we are connected to up to date, so that what is read behind it is no older than now. The library
 * cannot read the answer, and is made to take it for that of a delete: a header and nothing else.
 */
export function sync(client: ZooKeeperClient, path: string, done: (error: unknown) => void): void {
  const packet = packetOf({ is: op.sync, readAs: op.delete }, [sized(Buffer.from(path))]);
  client.connectionManager?.queue(packet, done);
}

/**
 * Creates a node, and tells what the server says of it, which saves asking for that. Servers can do it from version 3.5 on;
 * the library cannot, and reads the answer as that of a create, which begins in the same way.
 */
export function createTold(
  client: ZooKeeperClient,
  path: string,
  data: Buffer,
  how: number,
  done: (error: unknown, path?: string, stat?: Stat) => void,
): void {
  const inside = client.connectionManager as Internals;
  const name = Buffer.from((inside.chrootPath ?? '') + path);
  const packet = packetOf({ is: op.create2, readAs: op.create }, [
    sized(name),
    sized(data),
    openToAll,
    int(how),
  ]);
  inside.queue(packet, (error, response) => {
    if (error) return done(error);
    done(null, response?.payload?.path, statIn(inside.answer as Buffer));
  });
}

function packetOf({ is, readAs }: { is: number; readAs: number }, fields: readonly Buffer[]): Packet {
  const header = { type: readAs, xid: 0 };
  return {
    header,
    payload: undefined,
    toBuffer: () => {
      const body = Buffer.concat([int(0), int(header.xid), int(is), ...fields]);
      body.writeInt32BE(body.length - 4);
      return body;
    },
  };
}

function int(value: number): Buffer {
  const buffer = Buffer.allocUnsafe(4);
  buffer.writeInt32BE(value);
  return buffer;
}

function sized(buffer: Buffer): Buffer {
  return Buffer.concat([int(buffer.length), buffer]);
}

/** One entry: all of it, for the world's anyone. */
const openToAll = Buffer.concat([int(1), int(31), sized(Buffer.from('world')), sized(Buffer.from('anyone'))]);

/** What is said of a node stands at the end of the answer. */
function statIn(answer: Buffer): Stat {
  const stat = answer.subarray(-68);
  return {
    czxid: stat.subarray(0, 8),
    ctime: stat.subarray(16, 24),
    mtime: stat.subarray(24, 32),
    version: stat.readInt32BE(32),
    cversion: stat.readInt32BE(36),
    ephemeralOwner: stat.subarray(44, 52),
  };
}
