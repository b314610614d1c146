import { setTimeout as sleep } from 'node:timers/promises';
import { PermitLostError } from 'lockkeeper';
import { expect, it } from 'vitest';
import { renew, soon } from '../conformance/coordinator/kit.js';
import { type Peer, startScript } from '../support/peer.js';
import { newName, type Side } from './side.js';

/** What the suite needs to know of a coordinator. */
export interface Holders {
  /** For a holder in a process of its own. */
  readonly url: () => string;
  /** Milliseconds: of that holder, and of the permits of sides. */
  readonly lease: number;
  /** A side that reaches the servers through proxies. It is closed after the test. */
  side(): Promise<Side>;
}

/** Something that is written to by whoever holds, and keeps the highest token that it has seen. */
class Register {
  value = '';
  #highest = 0n;

  write(token: bigint, value: string): boolean {
    if (token < this.#highest) return false;
    [this.#highest, this.value] = [token, value];
    return true;
  }
}

/** What becomes of a holder that dies, stops or is cut off, and of the next one. */
export function holderSuite({ url, lease, side }: Holders): void {
  const script = new URL('holder.ts', import.meta.url);
  const start = async (name: string): Promise<[holder: Peer, token: bigint]> => {
    const holder = await startScript(script, url(), name, String(lease));
    return [holder, BigInt(/^held (\d+)$/.exec(await holder.next())![1]!)];
  };

  it('that is killed comes free within its lease and a second', async () => {
    const bob = await side();
    const name = newName();
    const [holder, token] = await start(name);
    const next = bob.locks.acquire(name);
    const killed = performance.now();
    await holder.end('SIGKILL');

    const permit = await next;

    expect(performance.now() - killed).toBeLessThan(lease + 1_000);
    expect(permit.token).toBeGreaterThan(token);
    await permit.release();
  });

  it('that is stopped learns that it lost its permit before it does anything else', async () => {
    const bob = await side();
    const name = newName();
    const register = new Register();
    const [holder, token] = await start(name);
    await using _ = holder;
    expect(register.write(token, 'first')).toBe(true);
    await holder.freeze();
    const permit = await bob.locks.acquire(name);
    expect(register.write(permit.token, 'second')).toBe(true);
    await sleep(lease);

    holder.say('check');
    holder.thaw();

    expect([await holder.next(), await holder.next()].sort()).toEqual([
      'PermitLostError',
      'told PermitLostError',
    ]);
    expect(permit.token).toBeGreaterThan(token);
    expect(register.write(token, 'stale')).toBe(false);
    expect(register.value).toBe('second');
    await permit.release();
  });

  it('that blocks its event loop learns it as soon as it asks', async () => {
    const bob = await side();
    const name = newName();
    const [holder, token] = await start(name);
    await using _ = holder;
    holder.say(`block ${2 * lease}`);

    const permit = await bob.locks.acquire(name);

    expect(await holder.next()).toBe('told PermitLostError');
    expect(await holder.next()).toBe('PermitLostError');
    expect(permit.token).toBeGreaterThan(token);
    await permit.release();
  });

  it('that is cut off is told before the next one has it, and refused by what keeps the highest token', async () => {
    const [alice, bob] = [await side(), await side()];
    const name = newName();
    const register = new Register();
    const held = await alice.locks.acquire(name);
    const { token } = held;
    expect(register.write(token, 'first')).toBe(true);
    let told = Number.POSITIVE_INFINITY;
    held.signal.addEventListener('abort', () => {
      told = performance.now();
    });
    alice.all((proxy) => proxy.pause());

    const permit = await bob.locks.acquire(name);

    expect(told).toBeLessThan(performance.now());
    expect(() => held.assertHeld()).toThrow(PermitLostError);
    expect(register.write(permit.token, 'second')).toBe(true);
    expect(register.write(token, 'stale')).toBe(false);
    expect(register.value).toBe('second');
    alice.all((proxy) => proxy.resume());
    await held.release();
    expect(permit.held).toBe(true);
    await permit.release();
  });

  it('whose connection is slow, or comes and goes, keeps its permit', async () => {
    const [alice, bob] = [await side(), await side()];
    const name = newName();
    const held = await alice.locks.acquire(name, { lease: 3 * lease });
    alice.all((proxy) => proxy.delay(20));
    for (let i = 0; i < 8; i++) {
      await sleep(lease / 2);
      alice.all((proxy) => proxy.cut(i % 2 ? 'reset' : 'end'));
    }
    alice.all((proxy) => proxy.delay(0));
    expect(held.held).toBe(true);
    expect(await bob.locks.tryAcquire(name)).toBeUndefined();
    await held.release();
  });

  it('whose release is not answered has given back, and once', async () => {
    const [alice, bob] = [await side(), await side()];
    const name = newName();
    const permit = await alice.locks.acquire(name, { lease: '1m' });
    const dropped = alice.proxies[0]!.dropReply(name);
    await permit.release();
    await dropped;
    const next = await bob.locks.acquire(name, { lease: '1m' });
    const { id } = (await bob.coordinator.inspect(name, soon)).holders[0]!;
    await sleep(700);
    expect(next.held).toBe(true);
    expect(await renew(bob.coordinator, name, id)).toBe('kept');
    await next.release();
  });
}
