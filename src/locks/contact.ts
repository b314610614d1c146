import { type Clock, jittered } from '../clock.js';
import type { Deadlines } from '../deadlines.js';
import { CoordinatorUnavailableError } from '../errors.js';
import type { Events } from '../events.js';
import type { Soon } from '../soon.js';
import { answered, stepAnswered } from './answer.js';
import type { Booking, BookRequest, Coordinator, Entered, EnterRequest } from './coordinator.js';
import type { LockEvents } from './events.js';

/** What is to be done about claims of which it is not known whether they stand. */
export interface Unknown {
  /** The answer did not come. */
  readonly lost?: (request: EnterRequest) => void;
  /** It came, after all, when nobody waited for it any more. */
  readonly late: (request: EnterRequest) => void;
}

/** While the coordinator does not answer. */
interface Outage {
  readonly error: unknown;
  readonly failures: number;
  /** On the clock's `now`. */
  readonly nextProbe: number;
  /** One is asking, on behalf of all. */
  probing: boolean;
}

/**
 * Whether a coordinator answers.
 *
 * While it does not, one question after another goes out at growing intervals, for all who would ask; the others are told
 * at once that it is unavailable.
 */
export class Contact {
  readonly #coordinator: Coordinator;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  readonly #events: Events<LockEvents>;
  readonly #timeout: number;
  readonly #onBack: () => void;
  #outage: Outage | undefined;
  #answers = 0;

  constructor(
    options: {
      readonly coordinator: Coordinator;
      readonly clock: Clock;
      readonly deadlines: Deadlines;
      readonly events: Events<LockEvents>;
      readonly callTimeout: number;
    },
    onBack: () => void,
  ) {
    this.#coordinator = options.coordinator;
    this.#clock = options.clock;
    this.#deadlines = options.deadlines;
    this.#events = options.events;
    this.#timeout = options.callTimeout;
    this.#onBack = onBack;
  }

  /** No closures here, and none of the caller's: every limited task comes through. */
  enter(request: EnterRequest, unknown: Unknown): Soon<Entered> {
    const outage = this.#outage;
    if (outage && !this.#mayProbe(outage)) return Promise.reject(this.unavailable(outage.error));
    const answer = asked(this.#coordinator, request);
    if (answer instanceof Promise) return this.#entered(answer, outage, request, unknown);
    this.#heard();
    return answer;
  }

  async book(request: BookRequest): Promise<Booking> {
    const outage = this.#outage;
    if (outage && !this.#mayProbe(outage)) throw this.unavailable(outage.error);
    const before = this.#answers;
    try {
      const answer = (async () => await this.#coordinator.book(request))();
      const booking = await answered(this.#deadlines, this.#coordinator.kind, answer, this.#timeout);
      this.#heard();
      return booking;
    } catch (error) {
      this.#judge(error, outage, before);
      throw error;
    }
  }

  #mayProbe(outage: Outage): boolean {
    if (outage.probing || this.#clock.now() < outage.nextProbe) return false;
    outage.probing = true;
    return true;
  }

  async #entered(
    answer: Promise<Entered>,
    outage: Outage | undefined,
    request: EnterRequest,
    unknown: Unknown,
  ): Promise<Entered> {
    const before = this.#answers;
    try {
      const entered = await stepAnswered(this.#deadlines, this.#coordinator, answer, this.#timeout);
      this.#heard();
      return entered;
    } catch (error) {
      this.#judge(error, outage, before);
      if (error instanceof CoordinatorUnavailableError) {
        unknown.lost?.(request);
        answer.then(
          () => unknown.late(request),
          () => {},
        );
      }
      throw error;
    }
  }

  #judge(error: unknown, probed: Outage | undefined, before: number): void {
    if (!(error instanceof CoordinatorUnavailableError)) this.#heard();
    // If others were answered meanwhile, this one failed alone.
    else if (before === this.#answers) this.#failed(error, probed);
  }

  #failed(error: unknown, probed: Outage | undefined): void {
    // One that was asked before the outage was known says nothing new.
    if (this.#outage !== probed) return;
    const failures = (probed?.failures ?? 0) + 1;
    if (failures === 1) {
      this.#events.emit('coordinator.unavailable', { coordinator: this.#coordinator.kind, error });
    }
    const pause = jittered(Math.min(1_000, 50 * 2 ** failures));
    this.#outage = { error, failures, nextProbe: this.#clock.now() + pause, probing: false };
  }

  #heard(): void {
    this.#answers++;
    if (!this.#outage) return;
    this.#outage = undefined;
    this.#events.emit('coordinator.available', { coordinator: this.#coordinator.kind });
    this.#onBack();
  }

  /** What it failed with, while it does not answer. */
  get outage(): CoordinatorUnavailableError | undefined {
    return this.#outage && this.unavailable(this.#outage.error);
  }

  /** The same, if it was asked in vain in the last so many milliseconds. */
  outageWithin(ms: number): CoordinatorUnavailableError | undefined {
    const asked = this.#outage !== undefined && this.#clock.now() - this.#outage.nextProbe < ms;
    return asked ? this.outage : undefined;
  }

  /** Milliseconds after which it is worth asking again, while it does not answer. */
  get untilProbe(): number {
    const { probing, nextProbe = 0 } = this.#outage ?? {};
    return probing ? this.#timeout : Math.max(10, nextProbe - this.#clock.now());
  }

  unavailable(cause: unknown): CoordinatorUnavailableError {
    return new CoordinatorUnavailableError(this.#coordinator.kind, { cause });
  }
}

/** No coordinator may throw, but one that does is not to be taken for one that is still asked. */
function asked(coordinator: Coordinator, request: EnterRequest): Soon<Entered> {
  try {
    return coordinator.enter(request);
  } catch (error) {
    return Promise.reject(error);
  }
}
