import { describe, expect, it } from 'vitest';
import type { WatchEvent } from '../../src/locks/etcd/client.js';
import { type Entry, encode } from '../../src/locks/etcd/entry.js';
import { keysOf } from '../../src/locks/etcd/keys.js';
import { type OwnClaim, Resource } from '../../src/locks/etcd/resource.js';
import type { Session } from '../../src/locks/etcd/session.js';
import { noSettings } from '../../src/locks/etcd/settings.js';
import { type Contender, Sight } from '../../src/locks/etcd/sight.js';

const keys = keysOf('lk/', 'storage');

function entryOf(id: string): Entry {
  return { id, weight: 1, capacity: 1, lease: 2_000, held: true, since: 0, rank: 0, owner: 'me' } as Entry;
}

/** A permit whose key was put at that revision. */
function permit(id: string, revision: number): Contender {
  const key = `${keys.below}${id}`;
  return { key, created: revision, modified: revision, lease: '1', entry: entryOf(id) };
}

function sightAt(revision: number, ...contenders: Contender[]): Sight {
  return new Sight(keys, revision, contenders, noSettings);
}

const idsOf = (sight: Sight | undefined) => sight?.contenders.map((contender) => sight.idOf(contender));

describe('what is seen of a line', () => {
  it('is added to by those who have joined since', () => {
    const sight = sightAt(100, permit('a', 90));
    sight.joined([permit('b', 105)], 105, 100);
    expect(idsOf(sight)).toEqual(['a', 'b']);
    expect(sight.joinedAt).toBe(105);
  });

  it('is not made to look complete by those who have seen more', () => {
    const [more, less] = [sightAt(100), sightAt(100)];
    more.joined([permit('a', 101)], 101, 100);
    for (const sight of [more, less]) sight.joined([permit('b', 102)], 102, 101);
    expect(idsOf(more)).toEqual(['a', 'b']);
    expect([idsOf(less), less.joinedAt]).toEqual([[], 100]);
  });
});

describe('a resource', () => {
  const session = {} as Session;

  function put(id: string, revision: number): WatchEvent {
    const { key, created, lease, entry } = permit(id, revision);
    const kv = {
      key: Buffer.from(key),
      value: encode(entry as Entry),
      create_revision: `${created}`,
      mod_revision: `${created}`,
      lease,
    };
    return { type: 'Put', kv } as unknown as WatchEvent;
  }

  /** One that is watched, and all is seen of it up to revision 100. */
  function watched(): Resource {
    const resource = new Resource('storage', keys);
    const { key, created, modified } = permit('mine', 99);
    const entry = entryOf('mine');
    const claim: OwnClaim = {
      ...{ id: 'mine', key, created, modified, session, entry, written: entry },
      ...{ granted: true, waits: false, leaving: false, since: 0, until: Number.POSITIVE_INFINITY },
    };
    resource.claims.set('mine', claim);
    resource.see(sightAt(100, permit('mine', 99)));
    resource.watched = true;
    return resource;
  }

  it('is not shown by an answer that is older than what was told meanwhile, when nothing was known', () => {
    const resource = watched();
    resource.loseAll(session);
    resource.lineChanged(put('b', 110));
    resource.see(sightAt(105));
    expect(resource.sight).toBeUndefined();
    resource.lineChanged(put('c', 120));
    expect(resource.sight).toBeUndefined();
    resource.see(sightAt(121, permit('b', 110), permit('c', 120)));
    expect(idsOf(resource.sight)).toEqual(['b', 'c']);
  });

  it('is not shown by one that is older than what was told of its settings either', () => {
    const resource = watched();
    resource.loseAll(session);
    const kv = { key: keys.pause, value: Buffer.from('{}'), create_revision: '110', mod_revision: '110' };
    resource.settingsChanged({ type: 'Put', kv } as unknown as WatchEvent);
    resource.see(sightAt(105));
    expect(resource.sight).toBeUndefined();
  });

  it('is shown by any answer when it is not watched any more, for the next watch goes on from that', () => {
    const resource = watched();
    resource.lineChanged(put('b', 110));
    resource.unwatched();
    resource.see(sightAt(105, permit('mine', 99)));
    expect(idsOf(resource.sight)).toEqual(['mine']);
  });
});
