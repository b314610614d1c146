import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLocks, type Permit } from 'lockkeeper';
import { setAhead } from '../support/set-ahead.js';

/** What a process of a fleet is told. */
export interface FleetWorkerSpec {
  /** Of the coordinator. */
  readonly url: string;
  /** Milliseconds. */
  readonly lease: number;
  /** What it wants: names with a capacity each. */
  readonly capacities: Readonly<Record<string, number>>;
  readonly layout?: string;
  /** Milliseconds between turns, at most: where nobody stands in line, whoever asks again at once keeps all others out. */
  readonly rest?: number;
  /** How many milliseconds its wall clock is ahead of the machine's. */
  readonly ahead?: number;
}

/**
 * A process that never stops wanting the same resources, whatever it is told, until it reads `end`. Its argument is JSON.
 *
 * Prints what it sees as JSON in lines: `in` when it finds that it holds a permit, `out` with the last moment at which it
 * found so, and `error` with the name of one.
 */
const spec = JSON.parse(process.argv[2] ?? '') as FleetWorkerSpec;
const { url, lease, capacities, layout, rest = 0, ahead = 0 } = spec;
if (ahead !== 0) setAhead(ahead);
const options = { lease, ...(layout && { layout }) };
const resources = Object.entries(capacities).map(([name, capacity]) => [name, { capacity, ...options }]);
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
      if (rest > 0) await sleep(Math.random() * rest);
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
