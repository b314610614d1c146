import { expect, it } from 'vitest';
import type { Broker, Delivery, Outcome } from '../../../src/brokers/broker.js';
import { again, calls, done, type Hands, idsOf, type Kit, parked } from './kit.js';

const resources = ['a', 'b', 'c'];

export function stormSuite(kit: Kit): void {
  // Thousands of round trips one after the other, which a busy machine may take long for.
  it('loses none of 2,000 messages, whatever becomes of them', { timeout: 120_000 }, async () => {
    const brokers = [await kit.connect(), await kit.connect()];
    const queues = [kit.queue(), kit.queue()];
    const messages = calls(2_000);
    const random = randomFrom(20_260_101);
    const storm = new Storm(random);

    const workers: Hands[] = [];
    for (const [i, broker] of [...brokers, ...brokers].entries())
      workers.push(await storm.join(kit, broker, queues, 3 + i));
    for (let i = 0; i < messages.length; i += 50) {
      const queue = queues[(i / 50) % 2]!;
      const delay = random() < 0.2 ? 100 : 0;
      await brokers[i % 2]!.publish(messages.slice(i, i + 50), { queue, delay });
      if (i === 1_000) await kit.vanish(workers.pop()!.consumer);
      await storm.takeSome(workers);
    }
    // A count is not of one moment: what moves while it is made may be missed once, but hardly again after a rest.
    for (let empty = 0; empty < 3; ) {
      empty = (await isEmpty(brokers[0]!, queues)) ? empty + 1 : 0;
      await (empty > 0 ? kit.quiet() : kit.pass(10));
      await storm.takeSome(workers);
    }

    expect([...new Set([...storm.ended, ...storm.unheard])].sort()).toEqual(idsOf(messages).sort());
    expect(storm.unheard.length).toBeLessThan(10);
    if (kit.features.atomicAgain) expect(new Set(storm.ended).size).toBe(storm.ended.length);
  });
}

/** Workers that do at random what workers may do. */
class Storm {
  /** Messages whose end the broker confirmed. */
  readonly ended: string[] = [];
  /** Messages whose end was asked for by a worker that died before it heard the answer. */
  readonly unheard: string[] = [];
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  async join(kit: Kit, broker: Broker, queues: readonly string[], concurrency: number): Promise<Hands> {
    return kit.work(broker, queues, { concurrency, onDelivery: (delivery) => void this.#run(delivery) });
  }

  async takeSome(workers: readonly Hands[]): Promise<void> {
    await Promise.all(workers.map((hands) => this.#takeSome(hands)));
  }

  async #takeSome({ consumer }: Hands): Promise<void> {
    for (const { resource, weight } of await consumer.rooms()) {
      if (consumer.idle === 0) return;
      let taken = await consumer.take(resource, { weight });
      while (taken.kind === 'taken') {
        const { delivery } = taken;
        const outcome = this.#outcome(delivery);
        taken = await consumer.take(resource, { weight, settling: { delivery, outcome } });
        if (outcome === done) this.ended.push(delivery.message.id);
      }
    }
  }

  async #run(delivery: Delivery): Promise<void> {
    const outcome = this.#outcome(delivery);
    if (this.#random() < 0.5) await new Promise((resolve) => setImmediate(resolve));
    const ids = await delivery.settle(outcome).then(
      (settled) => (settled ? this.ended : []),
      () => this.unheard,
    );
    if (outcome === done) ids.push(delivery.message.id);
  }

  #outcome({ message }: Delivery): Outcome {
    const chance = this.#random();
    const changed = { ...message, deferrals: message.deferrals + 1 };
    if (chance < 0.4) return done;
    if (chance < 0.5) return again(changed);
    if (chance < 0.6) return again(changed, 20 + 80 * this.#random());
    const resource = resources[Math.floor(3 * this.#random())]!;
    return parked(changed, { resource, weight: 1 + Math.floor(2 * this.#random()), capacity: 2 });
  }
}

async function isEmpty(broker: Broker, queues: readonly string[]): Promise<boolean> {
  const depths = await Promise.all(queues.map((queue) => broker.depth(queue)));
  return depths.every(({ ready, delayed, parked, running }) => ready + delayed + parked + running === 0);
}

/** The same numbers for the same seed, so that what failed once fails again. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
