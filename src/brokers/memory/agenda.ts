import type { Cancel, Clock } from '../../clock.js';
import { Heap, type Place } from './heap.js';

interface Plan {
  /** By the clock that never goes back. */
  readonly at: number;
  readonly action: () => void;
}

export type Appointment = Place<Plan>;

/** What is to happen later, on one timer of the clock for all of it. When nothing is planned there is no timer. */
export class Agenda {
  readonly #clock: Clock;
  readonly #plans = new Heap<Plan>((a, b) => a.at < b.at);
  #timer: { readonly at: number; readonly cancel: Cancel } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Plans an action, `ms` milliseconds from now. */
  add(ms: number, action: () => void): Appointment {
    const appointment = this.#plans.push({ at: this.#clock.now() + ms, action });
    this.#arm();
    return appointment;
  }

  cancel(appointment: Appointment): void {
    this.#plans.remove(appointment);
    this.#arm();
  }

  clear(): void {
    this.#plans.clear();
    this.#arm();
  }

  /** A timer for a plan that was cancelled may stay, and fire for nothing: messages with deadlines come and go fast. */
  #arm(): void {
    const first = this.#plans.first;
    if (first && this.#timer && this.#timer.at <= first.at) return;
    this.#timer?.cancel();
    this.#timer = first && {
      at: first.at,
      cancel: this.#clock.after(first.at - this.#clock.now(), () => this.#run()),
    };
  }

  #run(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    for (let plan = this.#plans.first; plan && plan.at <= now; plan = this.#plans.first) {
      this.#plans.shift();
      plan.action();
    }
    this.#arm();
  }
}
