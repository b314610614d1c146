import type { Delivery } from '../brokers/broker.js';
import { checkTravels, toRemoteError } from '../message.js';
import type { StoredState } from '../results/result-store.js';
import type { App } from '../tasks/app.js';
import type { AppEvents, TaskEvent } from '../tasks/events.js';
import type { TaskRecord } from '../tasks/task.js';

/** Tells what became of deliveries: to listeners, and to the result store. Nothing here can fail a task. */
export class Journal {
  readonly #app: App;

  constructor(app: App) {
    this.#app = app;
  }

  tell<K extends keyof AppEvents>(
    name: K,
    delivery: Delivery,
    facts: Omit<AppEvents[K], keyof TaskEvent>,
  ): void {
    if (!this.#app.events.has(name)) return;
    const { message, queue } = delivery;
    const event = { id: message.id, task: message.task, queue, ...facts };
    this.#app.events.emit(name, event as unknown as AppEvents[K]);
  }

  error(error: unknown): void {
    this.#app.events.emit('worker.error', { error });
  }

  /** Keeps a final state, or one that matters to the caller. */
  async keep(delivery: Delivery, record: TaskRecord | undefined, state: StateFacts): Promise<void> {
    const { message } = delivery;
    if (message.ignoreResult ?? record?.settings.ignoreResult) return;
    const { results, resultsFor, clock } = this.#app;
    try {
      await results.put(message.id, { ...state, at: clock.wall() } as StoredState, resultsFor);
    } catch (error) {
      this.tell('result.failed', delivery, { error });
    }
  }

  /** Keeps a state that is passed through, for those who asked to see them. */
  async pass(delivery: Delivery, record: TaskRecord, state: StateFacts): Promise<void> {
    if (record.settings.trackStates) await this.keep(delivery, record, state);
  }

  async progress(delivery: Delivery, record: TaskRecord, progress: unknown): Promise<void> {
    checkTravels(progress, 'progress');
    await this.keep(delivery, record, { state: 'started', progress });
  }

  async failed(delivery: Delivery, record: TaskRecord | undefined, error: unknown): Promise<void> {
    await this.keep(delivery, record, { state: 'failed', error: toRemoteError(error) });
    this.tell('task.failed', delivery, { error });
  }
}

type WithoutTime<S> = S extends unknown ? Omit<S, 'at'> : never;
export type StateFacts = WithoutTime<StoredState>;
