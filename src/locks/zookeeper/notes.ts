/**
 * What operators have said of a resource, as the names of persistent nodes beside those that stand in line: so whoever
 * looks at the line sees them too, at no cost. kazoo passes them over, and Curator sorts them behind everybody.
 *
 *     _lk-pause-1763700000000          until then; the reason is its data
 *     _lk-capacity-5-1763700000000     until then, or for ever if that is 0
 *
 * They end by the wall clock of whoever looks.
 */
export interface Notes {
  readonly pause?: { readonly name: string; readonly until: number };
  readonly override?: { readonly name: string; readonly capacity: number; readonly until?: number };
  /** Their time is over, and they can go. */
  readonly over: readonly string[];
}

const prefix = '_lk-';
const pausePattern = /^_lk-pause-(\d+)$/;
const capacityPattern = /^_lk-capacity-(\d+)-(\d+)$/;

export function isNote(name: string): boolean {
  return name.startsWith(prefix);
}

export function pauseNote(until: number): string {
  return `${prefix}pause-${until}`;
}

export function isPauseNote(name: string): boolean {
  return pausePattern.test(name);
}

export function capacityNote(capacity: number, until: number | undefined): string {
  return `${prefix}capacity-${capacity}-${until ?? 0}`;
}

export function isCapacityNote(name: string): boolean {
  return capacityPattern.test(name);
}

/** What counts now. Of two that were made at the same moment the one that lasts longer, or allows less, counts. */
export function notesAmong(children: readonly string[], now = Date.now()): Notes {
  let pause: Notes['pause'];
  let override: Notes['override'];
  const over: string[] = [];
  for (const name of children) {
    if (!isNote(name)) continue;
    const found = noteOf(name);
    if (found?.until && found.until <= now) over.push(name);
    else if (found && 'capacity' in found)
      override = override && override.capacity <= found.capacity ? override : found;
    else if (found) pause = pause && pause.until >= found.until ? pause : found;
  }
  return { ...(pause && { pause }), ...(override && { override }), over };
}

function noteOf(name: string): NonNullable<Notes['pause'] | Notes['override']> | undefined {
  const paused = pausePattern.exec(name);
  if (paused) return { name, until: Number(paused[1]) };
  const [, capacity, until] = capacityPattern.exec(name) ?? [];
  if (capacity === undefined) return undefined;
  return { name, capacity: Number(capacity), ...(until !== '0' && { until: Number(until) }) };
}
