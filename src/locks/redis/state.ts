import type { ClaimState, ResourceState } from '../coordinator.js';

/** Field, value, field, value …, as Redis gives a hash; or member and score. */
type Flat = readonly string[];

/** What an operator sees, from the reply of the script `inspect`. */
export function stateOf(resource: string, reply: readonly unknown[]): ResourceState {
  const [time, state, ends, line, rate, charges] = reply as [string, string | Flat, Flat, Flat, Flat, Flat];
  const now = Number(time);
  const fields = typeof state === 'string' ? new Map<string, string>() : pairsOf(state);
  return {
    resource,
    ...(typeof state === 'string' ? aloneOf(state, now) : crowdOf(fields, pairsOf(ends), line, now)),
    ...rateOf(pairsOf(rate), pairsOf(charges), Math.max(now, numberOf(fields, 'pausedUntil') ?? 0), now),
  };
}

function pairsOf(flat: Flat): Map<string, string> {
  const pairs = new Map<string, string>();
  for (let i = 0; i < flat.length; i += 2) pairs.set(flat[i] as string, flat[i + 1] as string);
  return pairs;
}

function numberOf(fields: Map<string, string>, name: string): number | undefined {
  const text = fields.get(name);
  return text === undefined ? undefined : Number(text);
}

/** The text of a resource that is held once, or free. */
function aloneOf(text: string, now: number): Omit<ResourceState, 'resource'> {
  const [head = '', owner = '""', serves = '[]', ...id] = text.split('\n');
  const [, kind, token = '', since, begun, lease, weight, capacity] = head.split(' ');
  const until = Number(begun) / 1_000 + Number(lease);
  if (kind !== 'h' || until <= now) return { holders: [], waiting: [] };
  const holder = {
    id: id.join('\n'),
    owner: JSON.parse(owner),
    ...servedBy(serves),
    weight: Number(weight),
    since: Math.floor(Number(since) / 1_000),
    until: Math.round(until),
    token: BigInt(token),
    foreign: false,
  };
  return { capacity: Number(capacity), holders: [holder], waiting: [] };
}

function crowdOf(
  fields: Map<string, string>,
  ends: Map<string, string>,
  line: Flat,
  now: number,
): Omit<ResourceState, 'resource'> {
  const places = new Set(line);
  const read = (id: string) => claimOf(id, fields.get(`:${id}`), Number(ends.get(id)));
  const stands = ({ until }: ClaimState) => until > now;
  const holders = [...ends.keys()].filter((id) => !places.has(id));
  return {
    ...capacityOf(fields, now),
    ...pauseOf(fields, now),
    holders: holders.map(read).filter(stands),
    waiting: line.map(read).filter(stands),
  };
}

function claimOf(id: string, record = '', until: number): ClaimState {
  const [head = '', owner = '""', serves = '[]'] = record.split('\n');
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
}

function capacityOf(fields: Map<string, string>, now: number): Partial<ResourceState> {
  const until = numberOf(fields, 'capacityUntil');
  const stored = numberOf(fields, 'capacity');
  const declared = numberOf(fields, 'declared');
  if (stored === undefined || (until !== undefined && until <= now)) {
    return declared === undefined ? {} : { capacity: declared };
  }
  const expiresIn = until === undefined ? {} : { expiresIn: Math.ceil(until - now) };
  return { capacity: stored, override: { capacity: stored, ...expiresIn } };
}

function pauseOf(fields: Map<string, string>, now: number): Pick<ResourceState, 'paused'> {
  const until = numberOf(fields, 'pausedUntil');
  if (until === undefined || until <= now) return {};
  const reason = fields.get('pauseReason');
  return { paused: { until: Math.round(until), ...(reason !== undefined && { reason }) } };
}

/** The task and the message, from their JSON. */
export function servedBy(json: string): Pick<ClaimState, 'task' | 'message'> {
  const [task, message] = JSON.parse(json) as (string | null)[];
  return { ...(typeof task === 'string' && { task }), ...(typeof message === 'string' && { message }) };
}

/** The arithmetic of the script `book`, for a start of cost 1. `opens`: the end of a pause, or now. */
function rateOf(
  marks: Map<string, string>,
  charges: Map<string, string>,
  opens: number,
  now: number,
): Pick<ResourceState, 'rate'> {
  const interval = numberOf(marks, 'interval');
  if (interval === undefined) return {};
  const [charged = 0, started = 0, burst = 0, leeway = 0] = ['charged', 'started', 'burst', 'leeway'].map(
    (name) => numberOf(marks, name),
  );
  const free = Math.max(charged, started - leeway, opens) + interval - burst;
  const isBooked = ([id, until]: [string, string]) =>
    Number(until) >= now && marks.get(`:${id}`)?.split(' ').length === 4;
  const booked = [...charges].filter(isBooked).length;
  return { rate: { nextStart: Math.max(0, Math.ceil(Math.max(opens, free) - now)), booked } };
}
