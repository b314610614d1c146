import { randomUUID } from 'node:crypto';
import {
  type App,
  type AppOptions,
  createApp,
  createWorker,
  type ResultStore,
  type Worker,
} from 'lockkeeper';
import { afterEach } from 'vitest';
import { RabbitmqBroker } from '../../src/brokers/rabbitmq.js';
import { type Peer, startPython } from '../support/peer.js';

/** What a Celery client is told of a call. */
export type Answer =
  | { readonly value: unknown }
  | { readonly raised: string; readonly args: readonly string[] };

/** One run of a task in a Celery worker. */
export interface Run {
  readonly ran: string;
  readonly id: string;
  readonly retries: number;
  readonly n?: number;
}

export interface Sites {
  readonly rabbitmq: { readonly url: string };
  /** Where Celery keeps results: `rpc://`, or a Redis. */
  backend(): string;
  results(): ResultStore;
}

type Closing = { close(): Promise<void> };

/** A queue, with the parties of both sides on it. All that was opened ends with its test. */
export class Stage {
  readonly queue = `celery-${randomUUID()}`;
  readonly #sites: Sites;
  readonly #priorities: number;
  readonly #opened: Closing[] = [];

  constructor(sites: Sites, { priorities = 0 } = {}) {
    this.#sites = sites;
    this.#priorities = priorities;
  }

  /** An app of ours whose queue it is. */
  app(options: AppOptions = {}): App {
    const broker = new RabbitmqBroker(this.#sites.rabbitmq.url);
    const results = this.#sites.results();
    const celery = this.#priorities > 0 ? { maxPriority: this.#priorities } : true;
    const queues = { [this.queue]: { celery } };
    const app = createApp({ broker, results, coordinator: 'memory:', queue: this.queue, queues, ...options });
    this.#opened.push(results, broker, app);
    return app;
  }

  async worker(app: App, concurrency = 4): Promise<Worker> {
    const worker = createWorker(app, { concurrency, queues: [this.queue], drain: 0 });
    await worker.start();
    return worker;
  }

  async client(): Promise<CeleryClient> {
    const client = new CeleryClient(await this.#peer('client.py'));
    await client.started;
    return client;
  }

  async celeryWorker(): Promise<CeleryWorker> {
    const worker = new CeleryWorker(await this.#peer('worker.py'));
    await worker.started;
    return worker;
  }

  async end(): Promise<void> {
    for (const one of this.#opened.splice(0).reverse()) await one.close();
    const broker = new RabbitmqBroker(this.#sites.rabbitmq.url);
    broker.declare(this.queue, { celery: true });
    await broker.drop(this.queue);
    await broker.close();
  }

  async #peer(file: string): Promise<Peer> {
    const { rabbitmq, backend } = this.#sites;
    const url = new URL(`peers/${file}`, import.meta.url);
    const peer = await startPython(url, rabbitmq.url, backend(), this.queue, String(this.#priorities));
    this.#opened.push({ close: () => peer.end() });
    return peer;
  }
}

/** Stages that end with their tests. */
export function useStages(sites: Sites): (options?: { priorities?: number }) => Stage {
  const stages: Stage[] = [];
  afterEach(async () => {
    for (const stage of stages.splice(0)) await stage.end();
  }, 30_000);
  return (options) => {
    const stage = new Stage(sites, options);
    stages.push(stage);
    return stage;
  };
}

/** Python takes seconds to start where several do. */
const patience = 60_000;

export class CeleryClient {
  readonly started: Promise<unknown>;
  readonly #peer: Peer;

  constructor(peer: Peer) {
    this.#peer = peer;
    this.started = readyLine(peer);
  }

  send(task: string, args: unknown[] = [], kwargs: object = {}, options: object = {}): Promise<string> {
    return this.#ask({ send: task, args, kwargs, options });
  }

  sendMany(task: string, calls: unknown[][]): Promise<string[]> {
    return this.#ask({ sendMany: task, calls });
  }

  get(id: string, timeout = 15): Promise<Answer> {
    return this.#ask({ get: id, timeout });
  }

  getMany(ids: readonly string[], timeout = 60): Promise<Answer[]> {
    return this.#ask({ getMany: ids, timeout });
  }

  state(id: string): Promise<string> {
    return this.#ask({ state: id });
  }

  async call(task: string, args?: unknown[], kwargs?: object, options?: object): Promise<Answer> {
    return await this.get(await this.send(task, args, kwargs, options));
  }

  async #ask<T>(told: object): Promise<T> {
    return JSON.parse(await this.#peer.ask(JSON.stringify(told), patience));
  }
}

export class CeleryWorker {
  readonly started: Promise<unknown>;
  readonly #peer: Peer;

  constructor(peer: Peer) {
    this.#peer = peer;
    this.started = readyLine(peer);
  }

  /** Since its start. */
  get runs(): Run[] {
    return this.#peer.unread.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  }

  end(): Promise<void> {
    return this.#peer.end();
  }
}

/** A worker of Celery prints more than that before. */
async function readyLine(peer: Peer): Promise<void> {
  while ((await peer.next(patience)) !== 'ready');
}
