import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { checkObject, checkWhole } from '../check.js';
import type { Health, HealthOptions } from './health.js';
import type { Worker } from './worker.js';

export interface HealthServerOptions extends HealthOptions {
  /** 0 is any that is free. */
  port: number;
  /** The address to listen on. Default: all of the machine's, since probes come from outside. */
  host?: string;
}

export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

/** What each path is about. */
const verdicts: Readonly<Record<string, (health: Health) => boolean>> = {
  '/health': ({ ok }) => ok,
  '/live': ({ alive }) => alive,
};

/**
 * Answers probes over HTTP: `GET /health` with 200 while the worker is well and 503 while it is not, `GET /live` with 503
 * only when a restart is what helps. The body is its health as JSON, with the reasons. Rejects when the port is taken.
 */
export async function serveHealth(worker: Worker, options: HealthServerOptions): Promise<HealthServer> {
  checkObject(options, 'options', ['port', 'host', 'within']);
  const { host, within } = options;
  const port = checkWhole(options.port, 'port', 0);
  let asking: Promise<Health> | undefined;
  /** However many ask at once, the worker is looked over once. */
  const look = () => {
    asking ??= worker.health({ within }).finally(() => {
      asking = undefined;
    });
    return asking;
  };
  const server = createServer((request, response) => void answer(request, response, look));
  server.unref();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host }, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  look: () => Promise<Health>,
): Promise<void> {
  const [path = ''] = (request.url ?? '').split('?');
  const isWell = Object.hasOwn(verdicts, path) ? verdicts[path] : undefined;
  const asksOnly = request.method === 'GET' || request.method === 'HEAD';
  if (!isWell || !asksOnly) {
    send(response, isWell ? 405 : 404, { error: `GET ${Object.keys(verdicts).join(' or ')}` });
    return;
  }
  try {
    const health = await look();
    send(response, isWell(health) ? 200 : 503, health);
  } catch (error) {
    send(response, 503, { ok: false, problems: [(error as Error).message] });
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(`${JSON.stringify(body)}\n`);
}
