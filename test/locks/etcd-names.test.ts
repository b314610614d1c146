import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { CoordinatorUnavailableError } from '../../src/errors.js';
import type { Coordinator } from '../../src/locks/coordinator.js';
import type { EtcdClient, EtcdStream, Transaction, WatchAnswer } from '../../src/locks/etcd/client.js';
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
import { errorOf } from '../support/error-of.js';
import { useShared } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { operationsOf, RecordingClient, useParties } from './etcd-kit.js';

const server = useShared('etcd');
const { raw, prefix, through } = useParties(server);
const [lease, capacity] = [15_000, 5];

/** A side whose calls can be held up. */
const connect = () => through(new SlowClient(server.url));

type Answer = ReturnType<EtcdClient['kv']['txn']>;
type Operations = 'request_put' | 'request_delete_range' | 'request_range';

const has = (request: Transaction, kind: Operations): boolean =>
  operationsOf(request).some(
    (operation) => kind in operation || ('request_txn' in operation && has(operation.request_txn, kind)),
  );

/** A client that carries some transactions out later than it is asked, and tells some events later than it hears them. */
class SlowClient extends RecordingClient {
  #held: (() => void)[] | undefined;

  constructor(url: string) {
    super(url);
    const { watchClient } = this;
    Object.assign(this, {
      watchClient: { watch: async () => this.#slow(await watchClient.watch()) },
    } satisfies Partial<EtcdClient>);
  }

  /** The next transaction with such an operation goes as is said here. */
  once(kind: Operations, goes: (carryOut: () => Answer) => Answer): void {
    const { txn } = this.kv;
    this.kv.txn = (request, options) => {
      if (!has(request, kind)) return txn(request, options);
      this.kv.txn = txn;
      return goes(() => txn(request));
    };
  }

  /** The next transaction with such an operation fails, as if its connection broke. Returns what carries it out all the same. */
  lose(kind: Operations): () => Promise<unknown> {
    let lost: (() => Answer) | undefined;
    this.once(kind, (carryOut) => {
      lost = carryOut;
      return Promise.reject(new Error('14 UNAVAILABLE: connection dropped'));
    });
    return async () => {
      await until(() => lost !== undefined);
      return await lost!();
    };
  }

  /** The next transaction with such an operation waits. `asked` resolves when there is one. */
  holdUp(kind: Operations): { asked: Promise<void>; carryOut(): void } {
    let carryOut = () => {};
    const held = new Promise<void>((resolve) => {
      carryOut = resolve;
    });
    const asked = new Promise<void>((resolve) =>
      this.once(kind, async (carryOut) => {
        resolve();
        await held;
        return await carryOut();
      }),
    );
    return { asked, carryOut };
  }

  /** The next transaction with such an operation is answered late. `carriedOut` resolves when it could be. */
  answerLate(kind: Operations): { carriedOut: Promise<unknown>; answer(): void } {
    let answer = () => {};
    const held = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const carriedOut = new Promise<Awaited<Answer>>((resolve) =>
      this.once(kind, async (carryOut) => {
        resolve(await carryOut());
        await held;
        return await carriedOut;
      }),
    );
    return { carriedOut, answer };
  }

  /** Tells no events until what it returns is called: each time it tells what is next, and whether there was anything. */
  stopEvents(): () => boolean {
    const held: (() => void)[] = [];
    this.#held = held;
    return () => {
      const tell = held.shift();
      tell?.();
      return tell !== undefined;
    };
  }

  #slow<Request>(stream: EtcdStream<Request, WatchAnswer>): EtcdStream<Request, WatchAnswer> {
    return {
      on: (event: string, listener: (of: never) => void) =>
        stream.on(event as 'data', (answer) => {
          if (event !== 'data' || !this.#held) return listener(answer as never);
          // Several that come at once are told one by one too.
          const each = answer.events.map((one) => () => listener({ ...answer, events: [one] } as never));
          this.#held.push(...each);
        }),
      write: (request) => stream.write(request),
      end: () => stream.end(),
      cancel: () => stream.cancel(),
    };
  }

  /** The names under which keys were put. */
  get put(): string[] {
    const puts = this.transactions.flatMap(({ success = [] }) => success);
    return puts.flatMap((one) =>
      'request_put' in one ? [one.request_put.key.toString().slice(prefix.length)] : [],
    );
  }
}

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

const holdersOf = async (party: Coordinator, resource: string) =>
  (await party.inspect(resource, soon)).holders.map(({ id }) => id);

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
    const deleteLate = client.lose('request_delete_range');
    await exit(party, name, id);
    const other = await hold(party, name, terms);
    await deleteLate();
    put.carryOut();
    // Whoever asked gives back what it is granted all the same.
    await asked.catch(() => {});
    await exit(party, name, id);

    await until(async () => (await namesOf(name)).length === 1, 5_000);
    expect(await holdersOf(party, name)).toEqual([other]);
    expect(await renew(party, name, other, lease)).toBe('kept');
  });

  it('that was not renewed in time is not granted by an answer that is older than its deletion', async () => {
    const { party, client } = connect();
    const name = `outdated-${line}`;
    const request = ask(name, newId(), { ...terms, lease: 2_000 });
    const first = granted(await party.enter(request));
    const look = client.answerLate('request_range');
    const asked = party.enter(request);
    await look.carriedOut;
    const deletion = client.answerLate('request_delete_range');
    await deletion.carriedOut;
    deletion.answer();
    await setImmediate();
    look.answer();

    const { grants } = granted(await asked);

    expect(grants[0]!.token).toBeGreaterThan(first.grants[0]!.token!);
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
});

describe('the key of a claim that was given up before it was answered for', () => {
  it('is not taken for that claim when it is asked for again, for it may be deleted at any time', async () => {
    const name = 'given-up';
    const { party, client } = connect();
    const { txn } = client.kv;
    const stuck: Transaction[] = [];
    client.kv.txn = (request) => {
      stuck.push(request);
      return new Promise(() => {});
    };
    const carryOut = async (kind: Operations) => {
      for (const request of stuck) if (has(request, kind)) await txn(request);
    };
    const short = { line: true, lease: 2_000, timeout: 300 };
    const id = newId();
    expect(await errorOf(party.enter(ask(name, id, short)))).toBeInstanceOf(CoordinatorUnavailableError);
    await until(() => stuck.some((request) => has(request, 'request_delete_range')), 5_000);
    client.kv.txn = txn;

    client.once('request_put', async (putAgain) => {
      await carryOut('request_put');
      return await putAgain();
    });
    let answer = await party.enter(ask(name, id, { ...short, ...soon }));
    await carryOut('request_delete_range');
    if (answer.kind !== 'granted') answer = await party.enter(ask(name, id, { ...short, ...soon }));
    granted(answer);
    await carryOut('request_delete_range');

    busy(await through(new RecordingClient(server.url)).party.enter(ask(name, newId())));
    expect(await renew(party, name, id, 2_000)).toBe('kept');
  });
});
