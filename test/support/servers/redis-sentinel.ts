import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '../until.js';
import { ask } from './ask.js';
import { temporaryFolder } from './folders.js';
import { freePort } from './ports.js';
import { locate, programs } from './programs.js';
import { type RedisServer, redisServer, startRedis } from './redis.js';
import { Ensemble, SingleServer, startAll, startTimeoutMs } from './server.js';

/** What the sentinels call the master they watch. */
const name = 'main';

/** A master and its replica, watched by three sentinels that take half a second to think one dead. */
export class RedisSentinel extends Ensemble {
  constructor(
    /** The master as it was started. */
    readonly master: RedisServer,
    /** Its replica, which takes over when the master is gone. */
    readonly replica: RedisServer,
    readonly sentinels: readonly SingleServer[],
  ) {
    const hosts = sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',');
    super(`redis+sentinel://${hosts}/${name}`, [master, replica, ...sentinels], sentinels);
  }

  /** The master by now, as most of the sentinels see it. Undefined while they differ. */
  async currentMaster(): Promise<RedisServer | undefined> {
    const seen = await Promise.all(this.sentinels.map(({ port }) => masterPort(port).catch(() => undefined)));
    return [this.master, this.replica].find(
      ({ port }) => seen.filter((other) => other === port).length > seen.length / 2,
    );
  }
}

export async function startRedisSentinel(): Promise<RedisSentinel> {
  const master = await startRedis({ persist: true, settings });
  const replica = await redisServer({
    persist: true,
    settings: { ...settings, replicaof: `127.0.0.1 ${master.port}` },
  });
  try {
    await replica.start();
    // Sentinels ask for replicas every 10 s, so there had better be one when they first ask.
    await until(() => follows(replica), startTimeoutMs);
    const sentinels = await startAll(await Promise.all([1, 2, 3].map(() => sentinelOf(master))));
    return new RedisSentinel(master, replica, sentinels);
  } catch (error) {
    await Promise.all([master.stop(), replica.stop()]);
    throw error;
  }
}

/** A master would wait 5 s for more replicas before it sends the first its data. */
const settings = { 'repl-diskless-sync-delay': 0 };

async function sentinelOf(master: RedisServer): Promise<SingleServer> {
  const program = locate(programs.redis);
  const port = await freePort();
  const folder = await temporaryFolder('redis-sentinel');
  const file = join(folder, 'sentinel.conf');
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${folder}`,
    `sentinel monitor ${name} 127.0.0.1 ${master.port} 2`,
    `sentinel down-after-milliseconds ${name} 500`,
    `sentinel failover-timeout ${name} 2000`,
    `sentinel parallel-syncs ${name} 1`,
  ];
  await writeFile(file, `${lines.join('\n')}\n`);
  return new SingleServer({
    url: `redis://127.0.0.1:${port}`,
    port,
    folder,
    command: { program, args: [file, '--sentinel'], cwd: folder },
    isReady: () => knowsAll(port),
  });
}

async function follows({ port }: RedisServer): Promise<boolean> {
  const answer = await ask({ port, text: 'INFO replication\r\n', until: /master_link_status:\w+/ });
  return answer.includes('master_link_status:up');
}

/** Whether a sentinel has found the replica and the other two. Before that it would not fail over. */
async function knowsAll(port: number): Promise<boolean> {
  const answer = await ask({
    port,
    text: 'SENTINEL MASTERS\r\n',
    until: /num-other-sentinels\r\n\$\d+\r\n\d+/,
  });
  return /num-slaves\r\n\$1\r\n1/.test(answer) && /num-other-sentinels\r\n\$1\r\n2/.test(answer);
}

async function masterPort(sentinelPort: number): Promise<number> {
  const text = `SENTINEL GET-MASTER-ADDR-BY-NAME ${name}\r\n`;
  const answer = await ask({ port: sentinelPort, text, until: /\r\n\d{2,5}\r\n$/ });
  return Number(/\r\n(\d+)\r\n$/.exec(answer)?.[1]);
}
