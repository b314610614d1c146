import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { App } from 'lockkeeper';

/** Listens to the app's events: counts deliveries, and shows how far the calls of one task are. */
export class Observer {
  readonly #task: string;
  readonly #total: number;
  readonly #delay = monitorEventLoopDelay({ resolution: 5 });
  readonly #deliveries = new Map<string, number>();
  readonly #ended = new Map<string, number>();

  constructor(app: App, taskName: string, total: number) {
    this.#task = taskName;
    this.#total = total;
    this.#delay.enable();
    // A delivery is either run or put back, and what was put back is delivered again.
    app.on('task.started', ({ task }) => count(this.#deliveries, task));
    app.on('task.deferred', ({ task }) => count(this.#deliveries, task));
    app.on('task.done', ({ task }) => this.#end(task));
    app.on('task.failed', ({ task }) => this.#end(task));
  }

  get done(): number {
    return this.#ended.get(this.#task) ?? 0;
  }

  get deliveriesPerTask(): Record<string, number> {
    const perTask = [...this.#ended].map(([name, ended]) => [
      name,
      (this.#deliveries.get(name) ?? 0) / ended,
    ]);
    return Object.fromEntries(perTask);
  }

  /** How late the event loop ever was, in seconds. */
  get late(): number {
    return this.#delay.max / 1e9;
  }

  #end(task: string): void {
    count(this.#ended, task);
    if (task === this.#task) this.#show();
  }

  /** In place on a terminal, elsewhere a line for every tenth. */
  #show(): void {
    const { done } = this;
    const line = `Archived ${done} of ${this.#total} packages`;
    const tenths = (count: number) => Math.floor((count * 10) / this.#total);
    if (process.stdout.isTTY) process.stdout.write(`\r${line}${done === this.#total ? '\n' : ''}`);
    else if (tenths(done) > tenths(done - 1)) console.log(line);
  }
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
