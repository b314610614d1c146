/** The same limits without tasks and workers: around any piece of code. */
import { setTimeout as sleep } from 'node:timers/promises';
import { BusyError, createLocks, LockTimeoutError, locked } from 'lockkeeper';

const locks = createLocks({ resources: { printer: { capacity: 1 }, plotters: { capacity: 2 } } });

// Waits its turn in the fair line, and gives the permit back whatever happens to the body.
const order: string[] = [];
await Promise.all(
  ['first', 'second', 'third'].map((page) =>
    locks.using('printer', async (permit) => {
      order.push(page);
      await sleep(5, undefined, { signal: permit.signal });
    }),
  ),
);
console.log(order.join(', '));

// A permit to hold for longer. Its token rises with every grant: let what you write to refuse smaller ones.
const held = await locks.acquire('printer', { maxHold: '5m' });
const later = await locks.tryAcquire('printer');
console.log(later === undefined ? 'busy, and not waited for' : 'not busy?');

// Waiting has an end. With `waitTimeout: 0` it has no beginning.
for (const waitTimeout of [50, 0]) {
  try {
    await locks.acquire('printer', { waitTimeout });
  } catch (error) {
    if (error instanceof LockTimeoutError) console.log(`waited ${error.waited} ms in vain`);
    else if (error instanceof BusyError) console.log(`"${error.resource}" is busy`);
    else throw error;
  }
}
const { token } = held;
await held.release();
const next = await locks.acquire('printer');
console.log(`the next token is larger: ${next.token > token}`);
await next.release();

// As a wrapper. It states its own capacity, for it knows no app and no `resources`.
const plot = locked(
  'plotters',
  2,
)(async (drawing: string) => {
  await sleep(5);
  return `${drawing} plotted`;
});
const plotted = await Promise.all([plot('a house'), plot('a tree'), plot('a cat')]);

await locks.close();
console.log(plotted.join(', '));
// prints: a house plotted, a tree plotted, a cat plotted
