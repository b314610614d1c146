import { CoordinatorUnavailableError } from '../../errors.js';
import { kind } from './calls.js';
import { type Entry, same } from './entry.js';
import { removeKeys } from './leave.js';
import type { OwnClaim, Resource } from './resource.js';
import type { Contender } from './sight.js';
import type { Site } from './site.js';
import type { TimeLeft } from './time-left.js';

/** What others have to know of a claim at once; that it holds a permit they can see. */
export type Terms = Pick<Entry, 'lease'> & Partial<Pick<Entry, 'capacity' | 'placeLife'>>;

/**
 * Makes a claim that stands in the line this side's own, tied to a session that outlasts its lease. Nothing is written when
 * that is so already; else it was another side's, or is on other terms from now on. `undefined` when it is gone.
 *
 * One that was given up here is deleted first: its deletion may be under way, or have failed.
 *
 * If two sides do it at once the later one has it. The key stays the same, so nobody else gets in meanwhile.
 */
export async function takeOver(
  site: Site,
  resource: Resource,
  contender: Contender,
  terms: Terms,
  time: TimeLeft,
): Promise<OwnClaim | undefined> {
  if (isGivenUp(resource, contender)) {
    await removeKeys(site, [{ resource, use: contender }], time);
    return undefined;
  }
  const claim = ownOf(site, resource, contender);
  claim.entry = { ...claim.entry, ...terms };
  const known = Object.entries(terms).every(
    ([name, value]) => contender.entry?.[name as keyof Entry] === value,
  );
  return await own(site, resource, claim, { tell: !known, lease: contender.lease, time });
}

/** The same, and the key says all of `entry`. */
export function rewrite(
  site: Site,
  resource: Resource,
  contender: Contender,
  entry: Entry,
  time: TimeLeft,
): Promise<OwnClaim | undefined> {
  const claim = ownOf(site, resource, contender);
  claim.entry = entry;
  return own(site, resource, claim, { tell: !same(contender.entry, entry), lease: contender.lease, time });
}

/**
 * A session may have ended unnoticed. What stands by another one is not lost by that, so it is tied to a new one; and to none
 * before that is known to last.
 *
 * A key that is not known for this side's own may be gone since it was seen, or its deletion under way: whoever gave it up
 * here did not know that it would be asked for again. So it is written even when it has nothing new to say. That fails when
 * it is gone, and keeps it from all who meant it as it was.
 */
async function own(
  site: Site,
  resource: Resource,
  claim: OwnClaim,
  { tell, lease, time }: { tell: boolean; lease: string; time: TimeLeft },
): Promise<OwnClaim | undefined> {
  const duration = claim.entry.lease;
  site.book.extend(claim, time.began, duration);
  for (;;) {
    const session = await site.sessions.open(duration, time.ms);
    const ties = lease !== session.id || claim.session !== session;
    const there = await site.relyingOn(session, async () => {
      const lasts = session.outlast(duration, time.ms);
      if (ties) await lasts;
      const [there] = await Promise.all([
        tell || ties ? site.write(resource, claim, session, time.ms) : true,
        lasts,
      ]);
      claim.session = session;
      return there;
    });
    const isKnown = resource.claims.get(claim.id) === claim;
    if (there && isKnown && !claim.leaving) return claim;
    // The session that it was tied to before has ended meanwhile: its key stands, and nobody knows of it.
    if (there && !isKnown) session.doubt();
    if (there !== undefined || !ties) return undefined;
    if (time.ms === 0) throw new CoordinatorUnavailableError(kind);
  }
}

function ownOf(site: Site, resource: Resource, contender: Contender): OwnClaim {
  const entry = contender.entry as Entry;
  const known = resource.claims.get(entry.id);
  const goesOn = known?.key === contender.key && !known.leaving;
  const claim = goesOn ? known : site.claim(resource, entry, contender.key);
  site.found(claim, contender);
  return claim;
}

/** Whether this side has given it up, and no other has taken it over. */
export function isGivenUp({ claims }: Resource, contender: Contender): boolean {
  const own = claims.get(contender.entry?.id ?? '');
  return isTiedTo(own, contender) && own.leaving;
}

/** Whether the key is as this side left it: another side that takes it over ties it to a session of its own. */
export function isTiedTo(claim: OwnClaim | undefined, { key, lease }: Contender): claim is OwnClaim {
  return claim?.key === key && claim.session?.id === lease;
}
