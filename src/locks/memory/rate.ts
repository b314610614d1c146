import { Round } from '../../round.js';
import type { Booking, BookRequest, ResourceState } from '../coordinator.js';

/** What was charged for one id: a start booked ahead, or one that was made and may still be given back. */
interface Charge {
  readonly id: string;
  /** Its cost, as time under the rate. */
  readonly size: number;
  readonly time: number;
  /** Until when it counts. */
  until: number;
  readonly charged: Move;
  /** Set once it has started. */
  started?: Move;
}

/** How far a mark was moved. It goes back exactly, as long as nobody has moved it since. */
interface Move {
  readonly from: number;
  readonly to: number;
}

/** Sums of fractions of a millisecond are not exact, and nobody starts that punctually. */
const rounding = 0.001;

/**
 * A rate, kept by two marks on the clock.
 *
 * `charged` is the theoretical arrival time of GCRA: each booking moves it on by its size, and a start is free while the
 * mark is no more than the burst ahead. So whoever is punctual never makes it more than `limit + burst` within `per`.
 *
 * `started` is the same mark for what really started. Bookings may be late by their tolerance, which at a high rate is
 * many intervals: a process that stood still would let all of them go at once, next to those that are on time. So they
 * may run ahead of the rate by a tenth of it, or by one start, and those beyond are void like any that come too late.
 */
export class Rate {
  readonly #charges = new Map<string, Charge>();
  readonly #round = new Round(this.#charges);
  #charged = Number.NEGATIVE_INFINITY;
  #started = Number.NEGATIVE_INFINITY;
  /** When the last booking is void. */
  #until = Number.NEGATIVE_INFINITY;
  #interval = 0;
  #burst = 0;
  #leeway = 0;

  /** @internal How many charges are remembered. */
  get size(): number {
    return this.#charges.size;
  }

  /** `opens`: the end of a pause, if there is one, else now. */
  book(request: BookRequest, now: number, opens: number): Booking {
    this.#prune(now);
    this.#interval = request.per / request.limit;
    this.#burst = request.burst * this.#interval;
    this.#leeway = Math.max(this.#interval, request.per / 10);
    const booked = this.#booked(request.id, now);
    if (booked && booked.time - now > rounding) return { kind: 'later', after: whole(booked.time - now) };
    if (booked && opens <= now && this.#mayStart(booked, now)) return this.#redeem(booked, request, now);
    return this.#charge(request, now, opens);
  }

  /** Gives back a booking, or a start that was not made use of. */
  exit(id: string, now: number): boolean {
    const charge = this.#charges.get(id);
    if (!charge) return false;
    this.#charges.delete(id);
    if (now > charge.until) return false;
    if (this.#charged === charge.charged.to) this.#charged = charge.charged.from;
    if (charge.started && this.#started === charge.started.to) this.#started = charge.started.from;
    return true;
  }

  /** Takes a booking away. What has started is no booking any more. */
  evict(id: string, now: number): boolean {
    return this.#booked(id, now) !== undefined && this.exit(id, now);
  }

  /** Whether forgetting everything would change no answer. */
  idle(now: number): boolean {
    return this.#charged <= now && this.#started <= now && this.#until < now;
  }

  state(now: number, opens: number): ResourceState['rate'] {
    let booked = 0;
    for (const id of this.#charges.keys()) if (this.#booked(id, now)) booked++;
    const free = this.#begin(opens) + this.#interval - this.#burst;
    return { nextStart: whole(Math.max(opens, free) - now), booked };
  }

  #booked(id: string, now: number): Charge | undefined {
    const charge = this.#charges.get(id);
    return charge && !charge.started && now <= charge.until ? charge : undefined;
  }

  #mayStart({ size }: Charge, now: number): boolean {
    return this.#started + size - this.#burst - this.#leeway <= now + rounding;
  }

  #redeem(booked: Charge, { dry, tolerance }: BookRequest, now: number): Booking {
    if (!dry) this.#start(booked, now, tolerance);
    return { kind: 'now' };
  }

  #start(charge: Charge, now: number, tolerance: number): void {
    const from = this.#started;
    this.#started = Math.max(from, now) + charge.size;
    charge.started = { from, to: this.#started };
    charge.until = now + tolerance;
  }

  #charge(request: BookRequest, now: number, opens: number): Booking {
    const { id, tolerance, reach, dry } = request;
    const size = request.cost * this.#interval;
    const from = this.#begin(opens);
    const time = Math.max(opens, from + size - this.#burst);
    const after = whole(time - now);
    const booking = answer(after, reach);
    if (dry) return booking;

    this.#charges.delete(id);
    if (booking.kind === 'beyond') return booking;
    const charge: Charge = { id, size, time, until: time + tolerance, charged: { from, to: from + size } };
    this.#charges.set(id, charge);
    this.#charged = charge.charged.to;
    if (booking.kind === 'now') this.#start(charge, now, tolerance);
    else this.#until = Math.max(this.#until, charge.until);
    return booking;
  }

  /** Where the next charge begins. */
  #begin(opens: number): number {
    return Math.max(this.#charged, this.#started - this.#leeway, opens);
  }

  /** Two are looked at for each that is added, so that those nobody asks for again cannot pile up. */
  #prune(now: number): void {
    for (let looks = 0; looks < 2; looks++) {
      const charge = this.#round.next();
      if (charge && now > charge.until) this.#charges.delete(charge.id);
    }
  }
}

function answer(after: number, reach: number): Booking {
  if (after === 0) return { kind: 'now' };
  return { kind: after > reach ? 'beyond' : 'later', after };
}

/** Rounded up: whoever comes back after that time must not come too early. */
function whole(ms: number): number {
  return Math.max(0, Math.ceil(ms - rounding));
}
