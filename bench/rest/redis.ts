import { Redis } from 'ioredis';

/** What a Redis says of itself. */
export class RedisFacts {
  readonly #redis: Redis;

  constructor(url: string) {
    this.#redis = new Redis(url);
  }

  /** Commands that it has done since it started, also those of scripts; and not those that ask for its facts. */
  async commands(): Promise<number> {
    const stats = await this.#redis.info('commandstats');
    const calls = [...stats.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm)].filter(([, name]) => name !== 'info');
    return calls.reduce((all, [, , count]) => all + Number(count), 0);
  }

  async memory(): Promise<number> {
    return Number(/^used_memory:(\d+)/m.exec(await this.#redis.info('memory'))?.[1]);
  }

  async cpuUs(): Promise<number> {
    const cpu = await this.#redis.info('cpu');
    const of = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(cpu)?.[1]);
    return (of('used_cpu_sys') + of('used_cpu_user')) * 1e6;
  }

  close(): void {
    this.#redis.disconnect();
  }
}
