import type { ClaimState, ResourceState } from '../coordinator.js';

/** Field, value, field, value …, as Redis gives a hash; or member and score. */
type Flat = readonly string[];

/** What an operator sees, from the reply of the script \`inspect\`. */
export function stateOf(resource: string, reply: readonly unknown[]): ResourceState {
  const [time, state, ends, line, rate, charges] = reply as [string, Flat, Flat, Flat, Flat, Flat];
  const now = Number(time);
  const fields = pairsOf(state);
  const places = new Set(line);
  const claim = claimReader(fields, pairsOf(ends), now);
  const holders = [...pairsOf(ends).keys()].filter((id) => !places.has(id));
  return {
    resource,
    ...capacityOf(fields, now),
    ...pauseOf(fields, now),
    holders: holders.map(claim).filter((state) => state !== undefined),
    waiting: line.map(claim).filter((state) => state !== undefined),
    ...rateOf(pairsOf(rate), pairsOf(charges), fields, now),
  };
}

export function pairsOf(flat: Flat): Map<string, string> {
  const pairs = new Map<string, string>();
  for (let i = 0; i < flat.length; i += 2) pairs.set(flat[i] as string, flat[i + 1] as string);
  return pairs;
}

function capacityOf(fields: Map<string, string>, now: number): Partial<ResourceState> {
  const until = numberOf(fields, 'capacityUntil');
  const stored = numberOf(fields, 'capacity');
  const counts = stored !== undefined && (until === undefined || until > now);
  const capacity = counts ? stored : numberOf(fields, 'declared');
  return {
    ...(capacity !== undefined && { capacity }),
    ...(counts && {
      override: { capacity: stored, ...(until !== undefined && { expiresIn: Math.ceil(until - now) }) },
    }),
  };
}

export function pauseOf(fields: Map<string, string>, now: number): Pick<ResourceState, 'paused'> {
  const until = numberOf(fields, 'pausedUntil');
  if (until === undefined || until <= now) return {};
  const reason = fields.get('pauseReason');
  return { paused: { until: Math.round(until), ...(reason !== undefined && { reason }) } };
}

/** Nothing of what has lapsed. */
function claimReader(fields: Map<string, string>, ends: Map<string, string>, now: number) {
  return (id: string): ClaimState | undefined => {
    const until = Number(ends.get(id));
    const [head = '', owner = '""', serves = '[]'] = fields.get(`:${id}`)?.split('\n') ?? [];
    if (!(until > now) || head === '') return undefined;
    const [kind, weight, token, since] = head.split(' ');
    return {
      id,
      owner: JSON.parse(owner),
      ...servedBy(serves),
      weight: Number(weight),
      since: Number(since),
      until: Math.round(until),
      ...(kind === 'h' && token !== undefined && { token: BigInt(token) }),
      foreign: false,
    };
  };
}

export function servedBy(json: string): Pick<ClaimState, 'task' | 'message'> {
  const [task, message] = JSON.parse(json) as (string | null)[];
  return { ...(typeof task === 'string' && { task }), ...(typeof message === 'string' && { message }) };
}

/** The arithmetic of the script `book`, for a start of cost 1. */
function rateOf(
  marks: Map<string, string>,
  charges: Map<string, string>,
  state: Map<string, string>,
  now: number,
): Pick<ResourceState, 'rate'> {
  const interval = numberOf(marks, 'interval');
  if (interval === undefined) return {};
  const [charged = 0, started = 0, burst = 0, leeway = 0] = ['charged', 'started', 'burst', 'leeway'].map(
    (name) => numberOf(marks, name),
  );
  const opens = Math.max(now, numberOf(state, 'pausedUntil') ?? 0);
  const free = Math.max(charged, started - leeway, opens) + interval - burst;
  const booked = [...charges].filter(
    ([id, until]) => Number(until) >= now && marks.get(`:${id}`)?.split(' ').length === 4,
  );
  return { rate: { nextStart: Math.max(0, Math.ceil(Math.max(opens, free) - now)), booked: booked.length } };
}

function numberOf(fields: Map<string, string>, name: string): number | undefined {
  const text = fields.get(name);
  return text === undefined ? undefined : Number(text);
}
