import type { Hand } from './hand.js';
import type { Handed } from './handed.js';
import type { Lane } from './lane.js';
import type { Batch, Settling } from './settling.js';

export interface FetchingHost {
  /** Whether anything is to be fetched. */
  readonly isFetching: boolean;
  /** A message has come, and there is a slot for it. */
  deliver(lane: Lane, handed: Handed): void;
  /** These were settled, or it is known that they cannot be. */
  tell(batch: Batch, settled: boolean): void;
  /** Slots are free that the queues have nothing for, and somebody waits for that. */
  onIdle(): void;
  onError(error: unknown): void;
}

interface Fetch {
  readonly wanted: number;
  readonly beat?: { readonly mayBury: boolean } | undefined;
  /** What ends in the same step. */
  readonly batch?: Batch | undefined;
}

interface Arrived {
  readonly lane: Lane;
  readonly handed: Handed;
}

interface Told extends Arrived {
  /** The number its worker had. */
  readonly number: string;
}

/** After an error it fetches again, this many milliseconds later. */
const errorPause = 250;

/** Handed over in one turn of the event loop, at least; and a half of the slots. */
const leastShare = 20;

/**
 * Fills the slots of a consumer from its queues, in turn, and ends what was settled.
 *
 * A step asks for as many messages as there are free slots, which are kept for them until the answer comes. What has come
 * is handed over in two turns of the event loop, so that the ends of the first half are on their way while the second is
 * worked off; what ends in a queue that is fetched from ends in the same step.
 */
export class Fetching {
  readonly #lanes: readonly Lane[];
  readonly #hand: Hand;
  readonly #settling: Settling;
  readonly #host: FetchingHost;
  readonly #share: number;
  /** They have slots, and were not handed over yet. */
  #arrived: Arrived[] = [];
  /** They were not asked for, and have no slots yet. */
  #told: Told[] = [];
  #underWay = 0;
  #lastLane = 0;
  /** Somebody was told that no slot is idle, or a slot was freed: `onIdle` is to be called when one is idle. */
  #awaited = true;
  #scheduled: NodeJS.Immediate | undefined;
  #pause: NodeJS.Timeout | undefined;

  constructor(
    lanes: readonly Lane[],
    parts: { hand: Hand; settling: Settling; slots: number; host: FetchingHost },
  ) {
    this.#lanes = lanes;
    this.#hand = parts.hand;
    this.#settling = parts.settling;
    this.#host = parts.host;
    this.#share = Math.max(leastShare, Math.ceil(parts.slots / 2));
  }

  get idle(): number {
    if (!this.#isIdle) this.#awaited = true;
    return this.#isIdle ? this.#hand.free : 0;
  }

  /** Some have come that are handed over in the next turn of the event loop. */
  get more(): boolean {
    return this.#arrived.length > 0;
  }

  /** At least one queue was not found empty when it was asked last, and nothing keeps from asking it again. */
  get expecting(): boolean {
    return !this.#pause && this.#lanes.some(({ quiet }) => !quiet);
  }

  get #isIdle(): boolean {
    return this.#host.isFetching && this.#hand.free > 0 && this.#lanes.every(({ quiet }) => quiet);
  }

  /** A slot is free, or will be when what was settled has ended. */
  freed(): void {
    this.#awaited = true;
    this.schedule();
  }

  /** Goes on: later than whatever caused it, and once for all of this turn. */
  schedule(): void {
    this.#scheduled ??= setImmediate(() => {
      this.#scheduled = undefined;
      this.pump();
      this.#deliver();
    });
  }

  pump(): void {
    const batches = this.#settling.take();
    this.#place();
    while (this.#host.isFetching && !this.#pause && this.#hand.free > 0) {
      const lane = this.#nextLane();
      if (!lane) break;
      const at = batches.findIndex((batch) => batch.lane === lane);
      const [batch] = at < 0 ? [] : batches.splice(at, 1);
      // It tells of its errors.
      void this.#fetch(lane, { wanted: this.#hand.free, batch }).catch(() => {});
    }
    for (const batch of batches) void this.#end(batch);
    if (!this.#awaited || !this.#isIdle) return;
    this.#awaited = false;
    this.#host.onIdle();
  }

  /** Fetches from one queue, with free slots or none. */
  async look(lane: Lane, beat?: { mayBury: boolean }): Promise<void> {
    const wanted = this.#host.isFetching ? Math.max(0, this.#hand.free) : 0;
    await this.#fetch(lane, { wanted, beat });
  }

  /** Has come without being asked for. It may be that a fetch keeps the slot for it, and will not need that. */
  told(lane: Lane, handed: Handed): void {
    if (!this.#host.isFetching) return;
    if (this.#hand.free > 0 && !this.more && this.#told.length === 0) this.#host.deliver(lane, handed);
    else this.#told.push({ lane, handed, number: lane.number });
    this.#place();
    this.schedule();
  }

  /** Handles of what has come and was not handed over yet. */
  arrivedFrom(lane: Lane): string[] {
    const all = [...this.#arrived, ...this.#told];
    return all.filter((one) => one.lane === lane).map(({ handed }) => handed.handle);
  }

  /** Forgets what was not handed over. */
  drop(): void {
    this.#hand.unkeep(this.#arrived.length);
    this.#arrived = [];
    this.#told = [];
  }

  /** Ends what was settled, and nothing else. Resolves when it is known how. */
  async endAll(): Promise<void> {
    await Promise.all(this.#settling.take().map((batch) => this.#end(batch)));
  }

  /** The pause after an error is over. */
  resume(): void {
    clearTimeout(this.#pause);
    this.#pause = undefined;
    this.schedule();
  }

  stop(): void {
    clearImmediate(this.#scheduled);
    clearTimeout(this.#pause);
  }

  /** In turn, of those that may have something. */
  #nextLane(): Lane | undefined {
    for (let tried = 0; tried < this.#lanes.length; tried++) {
      this.#lastLane = (this.#lastLane + 1) % this.#lanes.length;
      const lane = this.#lanes[this.#lastLane];
      if (lane && !lane.quiet && lane.number !== '') return lane;
    }
    return undefined;
  }

  async #fetch(lane: Lane, { wanted, beat, batch }: Fetch): Promise<void> {
    this.#hand.keep(wanted);
    this.#underWay++;
    try {
      await lane.fetch({ wanted, beat, settlements: batch?.settlements }, (handed) => {
        this.#answered(wanted);
        if (batch) this.#host.tell(batch, handed !== undefined);
        this.#arrive(lane, handed ?? []);
      });
      this.schedule();
    } catch (error) {
      this.#answered(wanted);
      batch?.failed(error);
      this.#place();
      this.#host.onError(error);
      this.#pause ??= setTimeout(() => this.resume(), errorPause).unref();
      throw error;
    }
  }

  #answered(wanted: number): void {
    this.#underWay--;
    this.#hand.unkeep(wanted);
  }

  #arrive(lane: Lane, handed: readonly Handed[]): void {
    // Whoever stops it sees to it that they go back.
    if (this.#host.isFetching) {
      this.#hand.keep(handed.length);
      for (const one of handed) this.#arrived.push({ lane, handed: one });
      this.#place();
      this.#deliver();
    }
  }

  /** What was told gets a slot, or goes back when there is none and none may become free by an answer. */
  #place(): void {
    while (this.#told.length > 0 && this.#hand.free > 0) {
      const one = this.#told.shift() as Told;
      if (one.number !== one.lane.number) continue;
      this.#hand.keep(1);
      this.#arrived.push(one);
    }
    if (this.#underWay > 0) return;
    for (const { lane } of this.#told.splice(0)) lane.audit().catch(this.#host.onError);
  }

  #deliver(): void {
    for (const { lane, handed } of this.#arrived.splice(0, this.#share)) {
      this.#hand.unkeep(1);
      this.#host.deliver(lane, handed);
    }
    if (this.#arrived.length > 0) this.schedule();
  }

  async #end(batch: Batch): Promise<void> {
    try {
      this.#host.tell(batch, await batch.lane.settle(batch.settlements));
    } catch (error) {
      batch.failed(error);
    }
  }
}
