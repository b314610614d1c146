import { ManualClock } from 'lockkeeper/testing';
import { expect, it } from 'vitest';
import { settle } from '../../src/testing/manual-clock.js';
import { Places } from '../../src/worker/places.js';

function setUp(most: number) {
  const clock = new ManualClock();
  const leaving = new AbortController();
  const places = new Places(clock, leaving.signal, most);
  return { clock, leaving, places };
}

it('hands a place on when its turn of a second is over, to whoever has waited for it the longest', async () => {
  const { clock, places } = setUp(1);
  const first = await places.get(() => {});
  first.signal.addEventListener('abort', () => first.leave());
  first.stands();
  const came: string[] = [];
  for (const name of ['second', 'third']) void places.get(() => {}).then(() => came.push(name));

  await clock.advance('990ms');
  expect(came).toEqual([]);
  await clock.advance('10ms');

  expect(came).toEqual(['second']);
});

it('ends no turn before the line has let it in, and lets it last ten times as long as that took', async () => {
  const { clock, places } = setUp(1);
  const slow = await places.get(() => {});
  void places.get(() => {});
  await clock.advance('800ms');
  slow.stands();

  await clock.advance('7990ms');
  expect(slow.signal.aborted).toBe(false);
  await clock.advance('10ms');

  expect(slow.signal.aborted).toBe(true);
});

it('ends all turns, those that have not begun too, and lets nobody wait, when the worker leaves', async () => {
  const { leaving, places } = setUp(2);
  const held = [await places.get(() => {}), await places.get(() => {})];
  held[0]?.stands();
  const waiting = places.get(() => {});
  await settle();

  leaving.abort(new Error('over'));

  expect([...held, await waiting, await places.get(() => {})].map(({ signal }) => signal.reason)).toEqual(
    Array.from({ length: 4 }, () => leaving.signal.reason),
  );
});
