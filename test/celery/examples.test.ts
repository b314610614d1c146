import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { RabbitmqBroker } from '../../src/brokers/rabbitmq.js';
import { startPython, startScript } from '../support/peer.js';
import { useShared } from '../support/servers/index.js';

const server = useShared('rabbitmq');

const example = (name: string) => new URL(`../../examples/celery/${name}`, import.meta.url);

it('the examples of sharing a queue with Celery run, each side calling the other', async () => {
  const queue = `example-${randomUUID()}`;
  // Each serves the queue while the other's task is not called: a worker takes what it does not know, too.
  const node = await startScript(example('worker.ts'), server.url, queue);
  expect(await node.next(60_000)).toBe('ready');
  await using client = await startPython(example('call.py'), server.url, queue);
  expect([await client.next(), await client.next()]).toEqual([
    'Node has sent "Hello" to ann@example.org',
    'Node has thrown ValueError: ann is no address',
  ]);
  await node.end();

  await using celery = await startPython(example('worker.py'), server.url, queue);
  await using caller = await startScript(example('call.ts'), server.url, queue);
  expect([await caller.next(60_000), await caller.next()]).toEqual([
    'Python has counted 12',
    'Python has raised ValueError: nothing to count',
  ]);
  await caller.ended;
  await celery.end();
  const broker = new RabbitmqBroker(server.url);
  broker.declare(queue, { celery: true });
  await broker.drop(queue);
  await broker.close();
}, 120_000);
