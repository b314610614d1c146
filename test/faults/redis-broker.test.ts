import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { RedisBroker } from '../../src/brokers/redis.js';
import { startProxy, type TcpProxy } from '../support/proxy.js';
import { useRedis } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { Crew } from './support/crew.js';
import { Tally } from './support/tally.js';
import { Team } from './support/team.js';

/** `npm run soak -- redis-broker` does the same with 10,000 tasks each. */
const count = 400;
const lease = 2_000;
const spec = { takes: 10, concurrency: 5, lease };

describe('tasks on the redis broker are all run', { timeout: 60_000 }, () => {
  const server = useRedis({ persist: true });
  const ends: (() => Promise<unknown>)[] = [];

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  /** Two workers of this process, behind proxies or not, and somebody who publishes. */
  async function stage(behindProxies = false) {
    const broker = new RedisBroker(server.url);
    const tally = new Tally();
    const team = new Team(tally, spec);
    ends.push(
      () => broker.close(),
      () => team.leave(),
    );
    const proxies: TcpProxy[] = [];
    for (let i = 0; i < 2; i++) {
      const proxy = behindProxies ? await startProxy(server.url) : undefined;
      if (proxy) {
        proxies.push(proxy);
        ends.push(async () => proxy.stop());
      }
      await team.join(proxy ? proxy.url(server.url) : server.url);
    }
    return { broker, tally, team, proxies };
  }

  it('once each, when their server is killed and comes back, and again within 5 s', async () => {
    const { broker, tally } = await stage();
    await tally.publish(broker, count);
    await until(() => tally.ended.size > count / 4);

    await server.restart();
    const before = tally.starts;
    const answered = performance.now();
    await until(() => tally.starts > before, 10_000);
    expect(performance.now() - answered).toBeLessThan(5_000);

    await tally.whole(broker);
    expect(tally.again).toBe(0);
  });

  it('once each, when their server is frozen for longer than their lease', async () => {
    const { broker, tally } = await stage();
    await tally.publish(broker, count);
    await until(() => tally.ended.size > count / 4);

    await server.freeze();
    await sleep(1.5 * lease);
    await server.thaw();

    await tally.whole(broker);
    expect(tally.again).toBe(0);
  });

  it('once each, when connections are cut again and again', async () => {
    const { broker, tally, proxies } = await stage(true);
    await tally.publish(broker, count);
    for (let cut = 0; cut < 10; cut++) {
      await sleep(50);
      for (const proxy of proxies) proxy.cut(cut % 2 ? 'end' : 'reset');
    }

    await tally.whole(broker);
    expect(tally.again).toBe(0);
  });

  it('once each, when answers to fetching and settling are lost', async () => {
    const { broker, tally, proxies } = await stage(true);
    await tally.publish(broker, count);
    for (let drop = 0; drop < 5; drop++) {
      await Promise.all(proxies.map((proxy) => Promise.race([proxy.dropReply('evalsha'), sleep(3_000)])));
    }

    await tally.whole(broker);
    expect(tally.again).toBe(0);
  });

  it('when a worker cannot reach its server for longer than its lease, which then settles nothing', async () => {
    const { broker, tally, team, proxies } = await stage(true);
    await tally.publish(broker, count);
    await until(() => tally.ended.size > count / 4);

    proxies[0]!.pause();
    await tally.whole(broker);
    await until(() => team.workers[0]!.running === 0);
    proxies[0]!.resume();

    // Those it had in hand ran elsewhere too, and it is fit for work again.
    expect(tally.again).toBeLessThanOrEqual(spec.concurrency);
    await team.workers[1]!.stop();
    await tally.publish(broker, 10);
    await tally.whole(broker);
  });
});

describe('tasks of worker processes on the redis broker are all run', { timeout: 120_000 }, () => {
  const server = useRedis();
  const crew = new Crew();

  afterEach(() => crew.dismiss());

  it('when workers are killed with -9; only what they ran runs twice', async () => {
    const broker = new RedisBroker(server.url);
    const tally = new Tally();
    const hire = () => crew.hire({ broker: server.url, ...spec, takes: 20 }, tally);
    const [first, second, third] = await Promise.all([hire(), hire(), hire()]);
    await tally.publish(broker, count);
    await until(() => first.running.size === spec.concurrency);
    await first.kill();
    await until(() => second.running.size === spec.concurrency);
    await second.kill();

    await tally.whole(broker);
    expect(tally.again).toBeLessThanOrEqual(first.running.size + second.running.size);
    await third.stop();
    await broker.close();
  });

  it('when a worker is stopped for longer than its lease; only what it ran runs twice', async () => {
    const broker = new RedisBroker(server.url);
    const tally = new Tally();
    const hire = () => crew.hire({ broker: server.url, ...spec, takes: 20 }, tally);
    const [first] = await Promise.all([hire(), hire()]);
    await tally.publish(broker, count);
    await until(() => first.running.size === spec.concurrency);

    first.freeze();
    await tally.whole(broker);
    first.thaw();
    await until(() => first.running.size === 0);

    expect(tally.again).toBeLessThanOrEqual(spec.concurrency);
    expect(tally.again).toBeGreaterThan(0);
    await tally.publish(broker, count);
    await tally.whole(broker);
    await broker.close();
  });
});
