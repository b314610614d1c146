import { createInterface } from 'node:readline';
import { createLocks } from 'lockkeeper';
import { setAhead } from '../support/set-ahead.js';

/**
 * A process that holds a permit, and is told line by line what to do. Arguments: the coordinator's URL, the resource, the
 * lease in milliseconds, and how many milliseconds its wall clock is ahead. Prints `held TOKEN`, and `told REASON` when its
 * signal aborts.
 */
const [url, resource, lease, ahead] = process.argv.slice(2) as [string, string, string, string?];
if (ahead) setAhead(Number(ahead));
const locks = createLocks({ coordinator: url });
const permit = await locks.acquire(resource, { lease: Number(lease) });
permit.signal.addEventListener('abort', () => console.log(`told ${permit.signal.reason.name}`));
console.log(`held ${permit.token}`);

function check(): void {
  try {
    permit.assertHeld();
    console.log('still held');
  } catch (error) {
    console.log((error as Error).name);
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const [command, ms] = line.split(' ');
  if (command === 'block') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(ms));
  check();
  if (command === 'end') break;
}
await permit.release();
await locks.close();
