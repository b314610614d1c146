import type { Delivery } from '../brokers/broker.js';
import { inTime } from '../in-time.js';
import { checkTravels, type Message } from '../message.js';
import type { StoredState } from '../results/result-store.js';
import type { App } from '../tasks/app.js';
import type { AppEvents, TaskEvent } from '../tasks/events.js';

/** How long the result store may take to keep a state, in milliseconds. A task does not wait for it any longer. */
const storeTimeout = 10_000;

/** Tells what became of deliveries: to listeners, and to the result store. Nothing here can fail a task. */
export class Journal {
  readonly #app: App;

  constructor(app: App) {
    this.#app = app;
  }

  /** Whether anybody wants to hear of it: what is told of every run is not put together for nobody. */
  hears(name: keyof AppEvents): boolean {
    return this.#app.events.has(name);
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

  /** Connects to the result store, if any task keeps results: no permit that goes on is to wait for that. */
  prepare(): void {
    const { results, tasks } = this.#app;
    const keeps = [...tasks.values()].some(({ settings }) => !settings.ignoreResult);
    // That it cannot be reached is found out by the first state.
    if (keeps) results.ready?.().catch(() => {});
  }

  /** Every state is on its way to its caller, and arrives though this process may die: nobody need wait for that. */
  get hasSent(): boolean {
    return this.#app.results.hasSent === true;
  }

  /** Keeps a state, if the task's caller may want it. Resolves when it is kept, or cannot be. */
  async keep(delivery: Delivery, state: StateFacts): Promise<void> {
    if (!this.wants(delivery.message, state)) return;
    const { results, resultsFor, clock } = this.#app;
    const late = () => new Error(`The result store did not answer within ${storeTimeout} ms`);
    try {
      const { id, reply } = delivery.message;
      const kept = results.put(id, { at: clock.wall(), ...state } as StoredState, resultsFor, reply);
      await inTime(clock, kept, storeTimeout, late);
    } catch (error) {
      this.tell('result.failed', delivery, { error });
    }
  }

  /** States that are only passed through are kept for those who asked to see them. */
  wants({ task, ignoreResult }: Message, state: StateFacts): boolean {
    const settings = this.#app.tasks.get(task)?.settings;
    if (ignoreResult ?? settings?.ignoreResult) return false;
    const passing = (state.state === 'started' && !('progress' in state)) || state.state === 'deferred';
    return !passing || settings?.trackStates === true;
  }

  async progress(delivery: Delivery, progress: unknown): Promise<void> {
    checkTravels(progress, 'progress');
    await this.keep(delivery, { state: 'started', progress });
  }
}

type WithoutTime<S> = S extends unknown ? Omit<S, 'at'> : never;
export type StateFacts = WithoutTime<StoredState>;
