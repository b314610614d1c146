import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Booking, BookRequest } from '../../src/locks/coordinator.js';
import { MemoryParty } from '../../src/locks/memory/party.js';
import { Rate } from '../../src/locks/memory/rate.js';
import { MemoryService } from '../../src/locks/memory/service.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { book, enters, newId, rate as usual } from '../conformance/coordinator/kit.js';

interface Start {
  readonly at: number;
  readonly id: string;
}

/** Random users of one rate, who may be late, give back what they got, or never come back. */
class Users {
  readonly #rate = new Rate();
  readonly #request: Partial<BookRequest>;
  readonly #booked: Start[] = [];
  #starts: Start[] = [];
  #now = 0;
  #ids = 0;

  constructor(request: Partial<BookRequest>) {
    this.#request = request;
  }

  pass(ms: number): void {
    this.#now += ms;
  }

  book(): void {
    this.#ask(`${this.#ids++}`);
  }

  /** `choice`: from 0 to 1, which of those that are booked. */
  return(choice: number): void {
    const [booked] = this.#booked.splice(Math.floor(choice * this.#booked.length), 1);
    if (booked) this.#ask(booked.id);
  }

  /** All whose time has come, in the order of their times, each on time, until `ms` have passed. */
  punctually(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const [next] = this.#booked.sort((a, b) => a.at - b.at);
      if (!next || next.at > end) break;
      this.#now = Math.max(this.#now, next.at);
      this.#booked.shift();
      this.#ask(next.id);
    }
    this.#now = end;
  }

  /** Gives back a booking, or a start that was not made use of. */
  giveBack(choice: number): void {
    const all = [...this.#booked, ...this.#starts.slice(-3)];
    const one = all[Math.floor(choice * all.length)];
    if (!one) return;
    this.#rate.exit(one.id, this.#now);
    this.#starts = this.#starts.filter((start) => start !== one);
    if (this.#booked.includes(one)) this.#booked.splice(this.#booked.indexOf(one), 1);
  }

  /** The most that ever started within a time. */
  most(within: number): number {
    let most = 0;
    for (let first = 0, last = 0; last < this.#starts.length; last++) {
      while (this.#starts[last]!.at - this.#starts[first]!.at >= within) first++;
      most = Math.max(most, last - first + 1);
    }
    return most;
  }

  #ask(id: string): void {
    const booking = this.#rate.book(usual('rate', id, this.#request), this.#now, this.#now);
    if (booking.kind === 'now') this.#starts.push({ at: this.#now, id });
    else this.#booked.push({ at: this.#now + booking.after, id });
  }
}

const rates = fc.record({
  limit: fc.integer({ min: 1, max: 100 }),
  per: fc.integer({ min: 50, max: 2_000 }),
  burst: fc.integer({ min: 1, max: 10 }),
  tolerance: fc.integer({ min: 0, max: 3_000 }),
});
const actions = fc.constantFrom('book', 'book', 'book', 'return', 'return', 'giveBack', 'pass' as const);
const steps = fc.array(fc.tuple(actions, fc.double({ min: 0, max: 0.999, noNaN: true })), { maxLength: 400 });

describe('memory rate', () => {
  it('never lets more than its limit and its burst start within its time, when all are punctual', () => {
    fc.assert(
      fc.property(rates, steps, (rate, steps) => {
        const users = new Users(rate);
        for (const [action, choice] of steps) {
          if (action === 'pass') users.punctually((choice ** 3 * rate.per) / 2);
          else if (action !== 'return') users[action](choice);
        }
        expect(users.most(rate.per)).toBeLessThanOrEqual(rate.limit + rate.burst);
      }),
      { numRuns: 500 },
    );
  });

  it('never lets more than a tenth of its limit more, or one, start when anybody may be late', () => {
    fc.assert(
      fc.property(rates, steps, (rate, steps) => {
        const users = new Users(rate);
        for (const [action, choice] of steps) {
          users[action](action === 'pass' ? (choice ** 3 * rate.per) / 2 : choice);
        }
        const most = rate.limit + rate.burst + Math.max(1, rate.limit / 10);
        expect(users.most(rate.per)).toBeLessThanOrEqual(most);
      }),
      { numRuns: 500 },
    );
  });

  it('says whole milliseconds, after which the start is free', () => {
    const rate = new Rate();
    const ask = (id: string, now: number) => rate.book(usual('rate', id, { limit: 3 }), now, now);
    ask('first', 0);
    expect(ask('second', 0)).toEqual({ kind: 'later', after: 334 });
    expect(ask('second', 333)).toEqual({ kind: 'later', after: 1 });
    expect(ask('second', 334)).toEqual({ kind: 'now' });
  });

  it('lets a burst start in spite of fractions that do not add up', () => {
    const rate = new Rate();
    for (let i = 0; i < 3; i++) {
      const request = usual('rate', `${i}`, { limit: 3, burst: 3 });
      expect(rate.book(request, 12_345.678, 12_345.678)).toEqual({ kind: 'now' });
    }
  });

  it('gives nothing back of a booking that is void', () => {
    const rate = new Rate();
    const ask = (id: string, now: number) => rate.book(usual('rate', id, { tolerance: 100 }), now, now);
    ask('first', 0);
    ask('second', 0);
    rate.exit('second', 700);
    expect(ask('third', 700)).toEqual({ kind: 'later', after: 300 });
  });

  it('gives back no start that was made before another', () => {
    const rate = new Rate();
    const ask = (id: string, now: number) => rate.book(usual('rate', id), now, now);
    for (const id of ['first', 'second', 'third']) ask(id, 0);
    expect([ask('second', 2_600), ask('third', 2_600)]).toEqual([{ kind: 'now' }, { kind: 'now' }]);
    rate.exit('second', 2_600);
    expect(ask('fourth', 2_600)).toEqual({ kind: 'later', after: 500 });
  });

  it('takes away no start that was made', () => {
    const rate = new Rate();
    rate.book(usual('rate', 'first'), 0, 0);
    expect(rate.evict('first', 0)).toBe(false);
  });

  it('does not pile up what nobody asks for again', () => {
    const rate = new Rate();
    for (let now = 0; now < 100_000; now++) {
      rate.book(usual('rate', `${now}`, { limit: 1_000, burst: 10, tolerance: 50 }), now, now);
    }
    expect(rate.size).toBeLessThan(200);
  });
});

describe('memory coordinator', () => {
  const clock = new ManualClock();

  /** Does `first`, lets time pass, has everything idle forgotten, and books again. */
  async function afterwards(
    first: (party: MemoryParty) => Promise<unknown>,
    ms: number,
    ...again: Partial<BookRequest>[]
  ): Promise<Booking[]> {
    const party = new MemoryParty(new MemoryService(clock));
    await first(party);
    await clock.advance(ms);
    await enters(party, 'other');
    return Promise.all(again.map((options) => book(party, 'rate', options.id, options)));
  }

  it('forgets no rate whose bookings count', async () => {
    const answers = await afterwards(
      async (party) => {
        await book(party, 'rate');
        await book(party, 'rate', 'late');
      },
      1_200,
      { id: newId() },
      { id: 'late' },
    );
    expect(answers).toEqual([{ kind: 'now' }, { kind: 'now' }]);
  });

  it('forgets no rate that has charged ahead', async () => {
    const options = { burst: 3, tolerance: 0 };
    const answers = await afterwards(
      async (party) => {
        for (let i = 0; i < 4; i++) await book(party, 'rate', newId(), options);
      },
      1_600,
      ...[1, 2, 3].map(() => ({ id: newId(), ...options })),
    );
    expect(answers.map(({ kind }) => kind)).toEqual(['now', 'now', 'later']);
  });

  it('forgets no rate that has started late', async () => {
    const options = { burst: 3, cost: 3, tolerance: 2_000 };
    const answers = await afterwards(
      async (party) => {
        await book(party, 'rate', newId(), options);
        await book(party, 'rate', 'late', options);
        await clock.advance(3_400);
        expect(await book(party, 'rate', 'late', options)).toEqual({ kind: 'now' });
      },
      200,
      { id: newId(), ...options },
    );
    expect(answers).toEqual([{ kind: 'later', after: 800 }]);
  });
});
