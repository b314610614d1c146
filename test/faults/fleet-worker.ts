import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLocks, type Permit } from 'lockkeeper';

/**
 * A process that never stops wanting the same resources, whatever it is told, until it reads `end`. Arguments: the
 * coordinator's URL, the lease in milliseconds, and what it wants: JSON of names with a capacity each.
 *
 * Prints what it sees as JSON in lines: `in` when it finds that it holds a permit, `out` with the last moment at which it
 * found so, and `error` with the name of one.
 */
const [url, lease, wanted] = process.argv.slice(2) as [string, string, string];
const capacities = JSON.parse(wanted) as Record<string, number>;
const resources = Object.entries(capacities).map(([name, capacity]) => [
  name,
  { capacity, lease: Number(lease) },
]);
const locks = createLocks({ coordinator: url, resources: Object.fromEntries(resources) });
const loopsPerResource = 2;
/** How long a permit is held at most, in milliseconds. */
const longest = 20;
let over = false;
let stays = 0;

/** Milliseconds on the clock that all processes of a machine share. */
const now = () => Number(process.hrtime.bigint()) / 1e6;
const tell = (line: object) => console.log(JSON.stringify(line));

async function turn(resource: string, capacity: number): Promise<void> {
  const weight = capacity > 1 ? 1 + Math.floor(Math.random() * 2) : 1;
  const asked = now();
  const permit = await locks.acquire(resource, { weight, waitTimeout: '10s' });
  try {
    await stay(resource, permit, asked);
  } finally {
    await permit.release();
  }
}

async function stay(resource: string, permit: Permit, asked: number): Promise<void> {
  const from = now();
  if (!permit.held) return;
  const id = stays++;
  const { weight, token } = permit;
  tell({ kind: 'in', id, resource, weight, token: String(token), asked, from });
  const end = from + Math.random() * longest;
  let until = from;
  while (until < end) {
    await sleep(1);
    const at = now();
    if (!permit.held) break;
    until = at;
  }
  tell({ kind: 'out', id, until });
}

async function loop(resource: string, capacity: number): Promise<void> {
  while (!over) {
    try {
      await turn(resource, capacity);
    } catch (error) {
      tell({ kind: 'error', name: (error as Error).name });
      await sleep(20);
    }
  }
}

const loops = Object.entries(capacities).flatMap(([name, capacity]) =>
  Array.from({ length: loopsPerResource }, () => loop(name, capacity)),
);
for await (const line of createInterface({ input: process.stdin })) if (line === 'end') break;
over = true;
await Promise.all(loops);
await locks.close();
process.stdin.destroy();
tell({ kind: 'end' });
