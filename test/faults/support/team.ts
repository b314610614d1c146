import { type App, createApp, createWorker, type Worker } from '../../../src/index.js';
import type { Tally } from './tally.js';

interface Spec {
  /** How long a body takes, in milliseconds. */
  readonly takes: number;
  readonly concurrency: number;
  readonly lease: number;
}

/** Workers in this process, each with an app and connections of its own: for what happens to their server. */
export class Team {
  readonly #tally: Tally;
  readonly #spec: Spec;
  readonly #apps: App[] = [];
  readonly workers: Worker[] = [];

  constructor(tally: Tally, spec: Spec) {
    this.#tally = tally;
    this.#spec = spec;
  }

  async join(broker: string): Promise<void> {
    const { takes, concurrency, lease } = this.#spec;
    const app = createApp({ broker, queue: this.#tally.queue, coordinator: 'memory:', results: 'memory:' });
    app.on('task.void', () => void this.#tally.voids++);
    app.task('work', { ignoreResult: true, maxLost: 1_000 }, async (index: number) => {
      this.#tally.start(index);
      await new Promise((resolve) => setTimeout(resolve, takes));
      this.#tally.end(index);
    });
    const worker = createWorker(app, { concurrency, lease, drain: 0, abortGrace: 0 });
    await worker.start();
    this.#apps.push(app);
    this.workers.push(worker);
  }

  async leave(): Promise<void> {
    await Promise.all(this.#apps.map((app) => app.close()));
  }
}
