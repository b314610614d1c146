import { describe, expect, it } from 'vitest';
import { NameSeries, Names } from '../../src/locks/etcd/names.js';
import {
  ask,
  busy,
  enters,
  exit,
  granted,
  hold,
  newId,
  queued,
  renew,
  soon,
  standInLine,
} from '../conformance/coordinator/kit.js';
import { useShared } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { holdersOf, useParties } from './etcd-kit.js';
import { SlowClient } from './etcd-slow-client.js';

const server = useShared('etcd');
const { raw, prefix, through } = useParties(server);
const [lease, capacity] = [15_000, 5];

/** A side whose calls can be held up. */
const connect = () => through(new SlowClient(server.url, prefix));

async function namesOf(resource: string): Promise<string[]> {
  const keys = await raw().getAll().prefix(`${prefix}${resource}/`).sort('Create', 'Ascend').keys();
  return keys.map((key) => key.slice(prefix.length));
}

/** Somebody else's permit, under a name that this side may give out. */
async function putStray(name: string, session: string): Promise<void> {
  const stray = { lockkeeper: 1, id: 'stray', owner: 'x', weight: 1, capacity, lease, rank: 0, held: true };
  await raw()
    .put(prefix + name)
    .value(JSON.stringify(stray))
    .lease(session);
}

describe('names', () => {
  it('are given out again when they are given back, the others one after the other', () => {
    const [names, series] = [new Names(), new NameSeries()];
    const take = () => names.take('x', series);
    expect([take(), take(), take()]).toEqual(['x', 'x-1', 'x-2']);
    names.giveBack('x-1');
    names.giveBack('x-1');
    names.giveBack('y');
    expect([take(), take()]).toEqual(['x-1', 'x-3']);
  });

  it('are never given out again once they are retired, for no resource', () => {
    const series = new NameSeries();
    const [some, others] = [new Names(), new Names()];
    expect([some.take('x', series), some.take('x', series), others.take('y', series)]).toEqual([
      'x',
      'x-1',
      'y',
    ]);
    series.retire();
    series.retire();
    some.giveBack('x');
    expect([some.take('x', series), others.take('y', series), new Names().take('z', series)]).toEqual([
      'x-2',
      'y-2',
      'z-2',
    ]);
    some.giveBack('x-2');
    expect(some.take('x', series)).toBe('x-2');
  });
});

describe('keys of one side in one line', () => {
  it.each([
    ['tries', false],
    ['places', true],
  ])('of %s have as many names as there were keys at once', async (_, line) => {
    const { party, client } = connect();
    const name = `few-${line}`;
    for (let i = 0; i < 5; i++) {
      const ids = [await hold(party, name, { capacity, line }), await hold(party, name, { capacity, line })];
      expect(await holdersOf(party, name)).toEqual(ids);
      await exit(party, name, ...ids);
    }
    expect(client.put).toHaveLength(10);
    expect(new Set(client.put).size).toBe(2);
  });

  it('have new names in a new session', async () => {
    const { party, client } = connect();
    await hold(party, 'session', { lease });
    const [before] = await namesOf('session');
    await raw().leaseClient.leaseRevoke({ ID: client.granted[0]! });

    const id = await hold(party, 'session', { lease });

    const hex = BigInt(client.granted[1]!).toString(16);
    expect(await namesOf('session')).toEqual([`session/${hex}`]);
    expect(before).not.toBe(`session/${hex}`);
    expect(await renew(party, 'session', id, lease)).toBe('kept');
  });

  it('of leases of different lengths have different names', async () => {
    const { party } = connect();
    const ids = [];
    for (const lease of [15_000, 30_000, 15_000, 30_000])
      ids.push(await hold(party, 'lengths', { lease, capacity }));
    expect(new Set(await namesOf('lengths')).size).toBe(4);
    expect(await holdersOf(party, 'lengths')).toEqual(ids);
  });
});

describe.each([
  ['try', false],
  ['place', true],
])('a %s', (_, line) => {
  const terms = { lease, capacity, line };

  it('that is put late stands under a name that nobody has any more, and goes', async () => {
    const { party, client } = connect();
    const name = `late-${line}`;
    const putLate = client.lose('request_put');
    await exit(party, name, await hold(party, name, terms));
    await putLate();
    const id = await hold(party, name, terms);

    expect(await namesOf(name)).toHaveLength(2);
    await until(async () => (await namesOf(name)).length === 1, 5_000);
    expect(await holdersOf(party, name)).toEqual([id]);
    expect(await renew(party, name, id, lease)).toBe('kept');
  });

  it('that is given up before it is answered leaves its name alone', async () => {
    const { party, client } = connect();
    const [name, id] = [`given-up-${line}`, newId()];
    await exit(party, name, await hold(party, name, terms));
    const put = client.holdUp('request_put');
    const asked = Promise.resolve(party.enter(ask(name, id, terms)));
    await put.asked;
    await exit(party, name, id);
    const other = await hold(party, name, terms);
    put.carryOut();
    // Whoever asked gives back what it is granted all the same.
    await asked.catch(() => {});
    await exit(party, name, id);

    await until(async () => (await namesOf(name)).length === 1, 5_000);
    expect(await holdersOf(party, name)).toEqual([other]);
    expect(await renew(party, name, other, lease)).toBe('kept');
  });

  it('whose name somebody else has gets another one', async () => {
    const { party, client } = connect();
    const name = `taken-${line}`;
    await exit(party, name, await hold(party, name, terms));
    await putStray(client.put[0]!, client.granted[0]!);

    const id = await hold(party, name, terms);

    expect((await holdersOf(party, name)).toSorted()).toEqual([id, 'stray'].toSorted());
    await until(async () => (await holdersOf(party, name)).length === 1, 5_000);
    expect(await renew(party, name, id, lease)).toBe('kept');
  });

  it('gets another one also when the one who has its name was seen', async () => {
    const { party, client } = connect();
    const name = `seen-${line}`;
    const held = await hold(party, name, terms);
    await putStray(`${client.put[0]!}-1`, client.granted[0]!);
    expect(await holdersOf(party, name)).toEqual([held, 'stray']);

    const id = await hold(party, name, terms);

    expect((await holdersOf(party, name)).toSorted()).toEqual([held, id, 'stray'].toSorted());
    expect(await renew(party, name, id, lease)).toBe('kept');
  });

  it('is not lost by a late deletion of whoever had its name', async () => {
    const { party, client } = connect();
    const name = `deleted-${line}`;
    const before = await hold(party, name, terms);
    const deleteLate = client.lose('request_delete_range');
    await exit(party, name, before);
    const id = await hold(party, name, terms);
    expect(new Set(client.put).size).toBe(1);

    await deleteLate();

    expect(await renew(party, name, id, lease)).toBe('kept');
    expect(await holdersOf(party, name)).toEqual([id]);
  });

  it('is not evicted in place of whoever had its name', async () => {
    const [{ party, client }, operator] = [connect(), connect()];
    const name = `evicted-${line}`;
    const before = await hold(party, name, terms);
    const deletion = operator.client.holdUp('request_delete_range');
    const evicted = operator.party.evict({ resource: name, id: before }, soon);
    await deletion.asked;
    await exit(party, name, before);
    const id = await hold(party, name, terms);
    expect(new Set(client.put).size).toBe(1);

    deletion.carryOut();

    expect(await evicted).toBe(false);
    expect(await renew(party, name, id, lease)).toBe('kept');
  });

  it('is not renewed for whoever had its name', async () => {
    const [{ party, client }, operator] = [connect(), connect()];
    const name = `renewed-${line}`;
    const before = await hold(party, name, terms);
    expect(await renew(party, name, before, lease)).toBe('kept');
    let calls = 0;
    party.wake({ resource: name, id: before }, () => calls++);
    const look = client.holdUp('request_range');
    const renewed = renew(party, name, before, lease);
    await look.asked;
    await operator.party.evict({ resource: name, id: before }, soon);
    await until(() => calls > 0);
    const id = await hold(party, name, terms);
    expect(new Set(client.put).size).toBe(1);
    look.carryOut();

    expect(await renewed).toBe('lost');
    expect(await renew(party, name, id, lease)).toBe('kept');
    expect(await holdersOf(party, name)).toEqual([id]);
  });

  it('is not lost by late news of whoever had its name, nor is anybody let in beside it', async () => {
    const { party, client } = connect();
    const [name, one] = [`news-${line}`, { lease, line }];
    let calls = 0;
    const before = await hold(party, name, one);
    party.wake({ resource: name, id: before }, () => calls++);
    await until(() => client.watches === 1);
    await holdersOf(party, name);
    const tell = client.stopEvents();
    await exit(party, name, before);
    const id = await hold(party, name, one);
    expect(new Set(client.put).size).toBe(1);
    party.wake({ resource: name, id }, () => calls++);

    await until(tell);
    busy(await party.enter(ask(name, newId(), { lease })));
    await until(tell);

    await standInLine(party, name, { lease });
    expect(calls).toBe(0);
    expect(await renew(party, name, id, lease)).toBe('kept');
  });

  it('is found out as evicted, though its name was used before', async () => {
    const [{ party, client }, operator] = [connect(), connect()];
    const name = `told-${line}`;
    await exit(party, name, await hold(party, name, terms));
    const id = await hold(party, name, terms);
    expect(new Set(client.put).size).toBe(1);
    let calls = 0;
    party.wake({ resource: name, id }, () => calls++);
    expect(await operator.party.evict({ resource: name, id }, soon)).toBe(true);

    await until(() => calls > 0);
    expect(await renew(party, name, id, lease)).toBe('lost');
  });
});

describe('whoever waits under a name that was used before', () => {
  it('is let in at its turn and not before', async () => {
    const [{ party, client }, other] = [connect(), connect()];
    const name = 'turns';
    await exit(party, name, await hold(party, name, { lease }));
    const held = await hold(other.party, name, { lease });
    const id = newId();
    const place = ask(name, id, { lease, line: true });
    queued(await party.enter(place));
    expect(new Set(client.put).size).toBe(1);
    let calls = 0;
    party.wake({ resource: name, id }, () => calls++);
    queued(await party.enter(place));

    await exit(other.party, name, held);

    await until(() => calls > 0);
    granted(await party.enter(place));
    expect(await enters(other.party, name, newId(), { lease })).toBe(false);
  });
});

describe('a session that looks for keys that nobody knows of', () => {
  const terms = { lease, capacity };

  /** A side whose session has a reason to look, and a permit of it. `looked` is called each time, before it hears what is there. */
  async function doubtful(name: string, looked: (times: number) => Promise<void>) {
    const { party, client } = connect();
    const held = await hold(party, name, terms);
    client.lose('request_put');
    await hold(party, `${name}-lost`, terms);
    let times = 0;
    const { leaseTimeToLive } = client.leaseClient;
    client.leaseClient.leaseTimeToLive = async (...of) => {
      const answer = await leaseTimeToLive(...of);
      if (of[0].keys) await looked(++times);
      return answer;
    };
    await exit(party, name, held);
    return { party, client, times: () => times };
  }

  it.each(['before it is looked at', 'after it was looked at'])(
    'leaves one alone that has a name which was nobody’s: %s',
    async (when) => {
      const name = `audited-${when.split(' ')[0]}`;
      let [before, id] = ['', ''];
      const { party, client, times } = await doubtful(name, async (times) => {
        if (times > 1) return;
        // By the time it hears of the key, that is gone.
        await exit(party, name, before);
        client.once('request_range', async (carryOut) => {
          if (when.startsWith('before')) id = await hold(party, name, terms);
          else before = await hold(party, name, terms);
          const answer = await carryOut();
          if (when.startsWith('before')) return answer;
          await exit(party, name, before);
          client.once('request_delete_range', async (carryOut) => {
            id = await hold(party, name, terms);
            return await carryOut();
          });
          return answer;
        });
      });
      before = await hold(party, name, terms);

      await until(() => times() >= 2, 10_000);

      expect(id).not.toBe('');
      expect(new Set(client.put.filter((put) => put.startsWith(`${name}/`))).size).toBe(2);
      expect(await holdersOf(party, name)).toEqual([id]);
      expect(await renew(party, name, id, lease)).toBe('kept');
    },
  );

  it('finds them also when there is a reason to look all the time', async () => {
    const { party, client } = connect();
    const putLate = client.lose('request_put');
    await exit(party, 'doubts', await hold(party, 'doubts', terms));
    await putLate();
    expect(await namesOf('doubts')).toHaveLength(1);

    await until(async () => {
      client.lose('request_put');
      await exit(party, 'others', await hold(party, 'others', terms));
      return (await namesOf('doubts')).length === 0;
    }, 5_000);
  });
});
