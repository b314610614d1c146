/** A permit, as its holder saw it. All instants are in milliseconds on the machine's monotonic clock. */
export interface Stay {
  readonly resource: string;
  readonly weight: number;
  readonly token: bigint;
  /** When it was asked for. */
  readonly asked: number;
  /** The first moment and the last at which its holder looked whether it held, and did. */
  readonly from: number;
  until: number;
}

/**
 * Judges what all holders, of whatever process, have seen: their weights never add up to more than the capacity, and a
 * permit that was asked for after another was granted has a larger token. A permit that is handed on within a process is
 * the same one.
 *
 * A holder counts for as long as it looked and found that it held. One that was stopped in the middle is not inside while
 * it sleeps: what matters is that it does not go on when it wakes.
 */
export class Referee {
  readonly #capacities: Readonly<Record<string, number>>;
  readonly #stays = new Map<string, Stay[]>();

  constructor(capacities: Readonly<Record<string, number>>) {
    this.#capacities = capacities;
    for (const name of Object.keys(capacities)) this.#stays.set(name, []);
  }

  /** Somebody got in; `until` may be moved on as long as it stays. */
  enter(stay: Stay): void {
    this.#stays.get(stay.resource)!.push(stay);
  }

  get acquisitions(): number {
    return [...this.#stays.values()].reduce((sum, stays) => sum + stays.length, 0);
  }

  /** In words. Empty when all is well. */
  get violations(): string[] {
    return [...this.#stays].flatMap(([name, stays]) =>
      [...crowds(stays, this.#capacities[name]!), ...oldTokens(stays)].map((found) => `${name}: ${found}`),
    );
  }
}

function crowds(stays: readonly Stay[], capacity: number): string[] {
  const moments = stays.flatMap(({ from, until, weight }) => [
    { at: from, weight },
    { at: until, weight: -weight },
  ]);
  // Whoever leaves at the moment at which another comes has left.
  moments.sort((a, b) => a.at - b.at || a.weight - b.weight);
  const found: string[] = [];
  let inside = 0;
  for (const { at, weight } of moments) {
    inside += weight;
    if (inside > capacity && weight > 0)
      found.push(`${inside} of ${capacity} were held at ${Math.round(at)} ms`);
  }
  return found;
}

function oldTokens(stays: readonly Stay[]): string[] {
  const granted = firstOfEach([...stays].sort((a, b) => a.from - b.from));
  const asked = [...granted].sort((a, b) => a.asked - b.asked);
  const found: string[] = [];
  let [next, highest] = [0, -1n];
  for (const stay of asked) {
    for (let one = granted[next]; one && one.from < stay.asked; one = granted[++next]) {
      if (one.token > highest) highest = one.token;
    }
    if (stay.token < highest) found.push(`the token ${stay.token} was granted after ${highest}`);
  }
  return found;
}

/** One stay for each grant. */
function firstOfEach(stays: readonly Stay[]): Stay[] {
  const first = new Map<bigint, Stay>();
  for (const stay of stays) if (!first.has(stay.token)) first.set(stay.token, stay);
  return [...first.values()];
}
