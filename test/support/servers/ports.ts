import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

/**
 * Ports on 127.0.0.1 that nobody else takes, even while the server that has them is down.
 *
 * A port from the system's own range would not do: between a kill and a restart any client might get it as its local
 * port. So ports come from below that range, in blocks, and a process has a block for as long as it listens on the
 * block's first port, which the system ends with the process.
 */
const firstPort = 10_000;
const blockSize = 50;
const blocks = 440;

/** What is left of this process's block. */
let left: Promise<number[]> = Promise.resolve([]);

export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) ports.push(await freePort());
  return ports;
}

export async function freePort(): Promise<number> {
  for (;;) {
    const port = await nextPort();
    const probe = await tryListen(port);
    if (probe === undefined) continue;
    probe.close();
    await once(probe, 'close');
    return port;
  }
}

async function nextPort(): Promise<number> {
  const current = left;
  const port = (await current).shift();
  if (port !== undefined) return port;
  if (left === current) left = claimBlock();
  return nextPort();
}

async function claimBlock(): Promise<number[]> {
  const start = Math.floor(Math.random() * blocks);
  for (let i = 0; i < blocks; i++) {
    const base = firstPort + ((start + i) % blocks) * blockSize;
    const claim = await tryListen(base);
    if (claim === undefined) continue;
    claim.unref();
    return Array.from({ length: blockSize - 1 }, (_, offset) => base + 1 + offset);
  }
  throw new Error(`All ports from ${firstPort} to ${firstPort + blocks * blockSize} are taken`);
}

function tryListen(port: number): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(undefined);
      else reject(error);
    });
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => resolve(server));
  });
}
