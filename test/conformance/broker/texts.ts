import { expect, it } from 'vitest';
import { call, deliveryOf, done, type Kit, parked, resource, untilDepth } from './kit.js';

/** What somebody will use as a name, and what breaks those who build keys and scripts from names. */
const names: Record<string, string> = {
  'an emoji': '🖨️ 😀',
  'a line break': 'one\r\ntwo\n',
  '10 kB': 'x'.repeat(10_000),
  'braces, as in a cluster hash tag': '{}',
  'more braces': 'a}b{c{d}',
  'a star': '*',
  'a pattern': '[a-z]?^\\',
  colons: 'a:b::c:',
  quotes: `"'\`$1 %s`,
  nothing: '',
  'a space': ' ',
  'a zero byte': 'a\0b',
  'a name every object has': '__proto__',
  'a method every object has': 'constructor',
};

export function textSuite(kit: Kit): void {
  for (const [what, text] of Object.entries(names)) {
    it(`carries ${what} in every text, and as a resource`, async () => {
      const broker = await kit.connect();
      const queue = kit.queue();
      const message = call({
        args: [text, { [text]: text }],
        task: text || 'test',
        origin: text,
        booking: text,
      });
      const parking = { resource: text, weight: 1, countdown: 200 };
      await kit.park(broker, queue, [message], parking);
      const hands = await kit.work(broker, queue);

      const room = { queue, capacity: 1, ...parking };
      expect(await hands.consumer.rooms()).toEqual([room]);
      await hands.consumer.attend([room]);
      await kit.pass(300);
      expect(await hands.consumer.orphans()).toEqual([room]);

      const delivery = await hands.taken(text);
      expect(delivery.message).toEqual(message);
      expect(delivery.room).toBe(text);

      await delivery.settle({ kind: 'aside', reason: text });
      const [aside] = await broker.aside(queue);
      expect(aside).toMatchObject({ reason: text, message });
      expect(await broker.discard(queue, aside!.id)).toBe(true);
      await untilDepth(broker, queue, {});
    });
  }

  it('does not take one room for another', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    const all = Object.values(names);
    for (const text of all) await kit.park(broker, queue, [call({ args: [text] })], { resource: text });
    const hands = await kit.work(broker, queue);

    expect((await hands.consumer.rooms()).map((room) => room.resource).sort()).toEqual([...all].sort());
    expect(await hands.take(resource)).toEqual({ kind: 'empty' });
    for (const text of all) {
      const delivery = await hands.taken(text);
      expect(delivery.message.args).toEqual([text]);
      expect(await hands.handOff(delivery, text)).toEqual({ kind: 'empty' });
    }
  });

  it('carries weird ids', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    const ids = Object.values(names).filter((id) => id !== '');
    await broker.publish(
      ids.map((id) => call({ id, args: [] })),
      { queue },
    );
    const hands = await kit.work(broker, queue, { concurrency: 2 });

    for (const _ of ids) {
      const delivery = await hands.receiveOne();
      await delivery.settle(parked(delivery.message));
    }
    let taken = await hands.take(resource);
    const found: string[] = [];
    while (taken.kind === 'taken') {
      found.push(taken.delivery.message.id);
      taken = await hands.handOff(deliveryOf(taken), resource, done);
    }

    expect(found.sort()).toEqual([...ids].sort());
  });

  it('carries a large message', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    const message = call({ args: ['é'.repeat(500_000)] });
    await broker.publish([message], { queue });

    const delivery = await (await kit.work(broker, queue)).receiveOne();

    expect(delivery.message.args).toEqual(message.args);
  });
}
