import { createServer, type Socket } from 'node:net';
import { freePort } from './servers/index.js';

/** A server that lets anybody begin a session, and answers every request as it is told. */
export interface ZooKeeperStub {
  readonly url: string;
  /** How many connections there were. */
  readonly connections: number;
  stop(): Promise<void>;
}

/**
 * `answer`: what is sent for a request (its own answer if it returns nothing), which begins with its number and its kind.
 * `handshake`: whether sessions are begun at all, by the number of the connection.
 */
export async function startZooKeeperStub(
  answer: (request: Buffer, socket: Socket) => Buffer | undefined,
  { handshake = () => true }: { handshake?: (connection: number, socket: Socket) => boolean } = {},
): Promise<ZooKeeperStub> {
  const port = await freePort();
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    const number = ++connections;
    sockets.add(socket);
    socket.on('error', () => {});
    let begun = false;
    let rest: Buffer = Buffer.alloc(0);
    socket.on('data', (data) => {
      rest = Buffer.concat([rest, data]);
      while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE()) {
        const request = rest.subarray(4, 4 + rest.readInt32BE());
        rest = rest.subarray(4 + request.length);
        if (begun) socket.write(framed(answer(request, socket) ?? reply(request)));
        else if (handshake(number, socket)) socket.write(framed(session(request)));
        begun = true;
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `zk://127.0.0.1:${port}`,
    get connections() {
      return connections;
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A header, and nothing behind it, with an error code. */
export function reply(request: Buffer, error = 0): Buffer {
  const header = Buffer.alloc(16);
  header.writeInt32BE(request.readInt32BE(), 0);
  header.writeInt32BE(error, 12);
  return header;
}

/** The kind of a request. */
export function kindOf(request: Buffer): number {
  return request.readInt32BE(4);
}

/** Of the time-out that was asked for. */
function session(request: Buffer): Buffer {
  const answer = Buffer.alloc(4 + 4 + 8 + 4 + 16);
  request.copy(answer, 4, 12, 16);
  answer.writeBigInt64BE(1n, 8);
  answer.writeInt32BE(16, 16);
  return answer;
}

function framed(message: Buffer): Buffer {
  const size = Buffer.alloc(4);
  size.writeInt32BE(message.length);
  return Buffer.concat([size, message]);
}
