import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestProject } from 'vitest/node';
import { type KindName, kinds } from './kinds.js';
import type { Server } from './server.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where test files ask for a shared server: `GET /redis` starts one if there is none, and answers with its URL. */
    sharedServers: string;
  }
}

/**
 * Runs in vitest's main process, for as long as the tests. Listens for test files that want a shared server, and starts
 * each when the first asks for it; so a run that asks for none starts none.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const started = new Map<string, Promise<Server>>();
  const listener = createServer((request, response) => {
    void answer(started, (request.url ?? '').slice(1), response);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  project.provide('sharedServers', `http://127.0.0.1:${(listener.address() as AddressInfo).port}`);
  return async () => {
    listener.close();
    listener.closeAllConnections();
    // One that did not come up has told those who asked for it.
    await Promise.allSettled([...started.values()].map(async (server) => (await server).stop()));
  };
}

async function answer(
  started: Map<string, Promise<Server>>,
  name: string,
  response: ServerResponse,
): Promise<void> {
  try {
    if (!Object.hasOwn(kinds, name)) throw new Error(`No server is called ${name}`);
    const server = started.get(name) ?? kinds[name as KindName].start();
    started.set(name, server);
    response.end((await server).url);
  } catch (error) {
    response.statusCode = 500;
    response.end((error as Error).message);
  }
}
