import type { RoomState } from '../brokers/broker.js';
import { readable } from '../duration.js';
import type { ClaimState } from '../locks/coordinator.js';
import type { ResourceReport } from '../tasks/operator/resources.js';
import { count, many, rateText, relative, table } from './text.js';

/** As many holders, places and rooms of a resource are shown where it was not asked for by its name. */
const few = 5;

/** What a resource's limit is, in force: `10 at once`, `100/m`. */
export function limitText({ declared, capacity, override }: ResourceReport): string {
  if ('rate' in declared) return rateText(declared.rate);
  const inForce = capacity ?? declared.capacity;
  const text = inForce === 1 ? 'one at a time' : `${count(inForce)} at once`;
  if (!override) return text;
  const until = override.expiresIn === undefined ? '' : ` for ${readable(override.expiresIn)}`;
  return `${text} (set${until}; declared: ${count(declared.capacity)})`;
}

/** Why nothing, or less than usual, is granted now; nothing when all is ordinary. */
export function conditions({ paused, unavailable, rate }: ResourceReport, now: number): string[] {
  const said: string[] = [];
  if (unavailable !== undefined) said.push(unavailable);
  if (paused) {
    const reason = paused.reason === undefined ? '' : `: ${paused.reason}`;
    said.push(`paused, ends ${relative(paused.until, now)}${reason}`);
  }
  if (rate) {
    if (rate.nextStart > 0) said.push(`next start in ${readable(rate.nextStart)}`);
    if (rate.booked > 0) said.push(`${many(rate.booked, 'start')} booked`);
  }
  return said;
}

/** Who holds it, who stands in line, and what is parked for it, as indented lines. */
export function details(report: ResourceReport, now: number, most = few): string[] {
  const claims = [
    ...part(
      'held by',
      report.holders,
      (holder) => claim(holder, now, `lease ends ${relative(holder.until, now)}`),
      most,
    ),
    ...part('in line', report.waiting, (place) => claim(place, now, ''), most),
  ];
  const parked = part('parked', report.rooms, (room) => roomRow(room, now), most);
  return [claims, parked].filter((rows) => rows.length > 0).map((rows) => table(rows, { indent: '  ' }));
}

function part<T>(title: string, all: readonly T[], row: (one: T) => string[], most: number): string[][] {
  const rows = all.slice(0, most).map((one, i) => [i === 0 ? title : '', ...row(one)]);
  const rest = all.length - most;
  if (rest > 0)
    rows.push(['', `and ${count(rest)} more`, ...Array<string>((rows[0]?.length ?? 2) - 2).fill('')]);
  return rows;
}

function claim(of: ClaimState, now: number, lease: string): string[] {
  const { id, owner, task, message, weight, since, token, foreign } = of;
  const what =
    task === undefined ? (foreign ? 'another program' : '') : [task, message].filter(Boolean).join(' ');
  return [
    ownerText(owner),
    what,
    weight === 1 ? '' : `weight ${weight}`,
    `for ${readable(now - since)}`,
    lease,
    `id ${id}`,
    token === undefined ? '' : `token ${token}`,
  ];
}

function roomRow({ queue, parked, since }: RoomState, now: number): string[] {
  return [many(parked, 'message'), `queue ${queue}`, `oldest waits for ${readable(now - since)}`];
}

/** Host and process: what else is in an owner's name tells one life of a process from the next. */
function ownerText(owner: string): string {
  return /^(.+:\d+):[0-9a-f]{12}$/.exec(owner)?.[1] ?? owner;
}
