import {
  type Server,
  startEtcd,
  startRabbitMq,
  startRedis,
  startZooKeeper,
} from '../../test/support/servers/index.js';

/** What the flags of a benchmark name. */
interface Places {
  readonly broker?: string;
  readonly coordinator?: string;
}

const servers: Readonly<Record<string, () => Promise<Server[]>>> = {
  redis: async () => [await startRedis()],
  etcd: async () => [await startEtcd()],
  zookeeper: async () => [await startZooKeeper()],
  rabbitmq: async () => [await startRabbitMq()],
  redlock: () => Promise.all([startRedis(), startRedis(), startRedis()]),
};

/**
 * The same flags with URLs in place of names: a server is started for each name, one for both if they are the same. They
 * are stopped when the scope ends, and on Ctrl-C.
 *
 *     await using args = await onServers(benchArgs(…));
 */
export async function onServers<A extends Places>(args: A): Promise<A & AsyncDisposable> {
  const started: Server[] = [];
  const stop = async () => {
    await Promise.all(started.splice(0).map((server) => server.stop()));
  };
  stopWhenTold(stop);
  const urls: Record<string, string> = {};
  for (const name of new Set([args.broker, args.coordinator])) {
    if (name === undefined || !(name in servers)) continue;
    const own = (await servers[name]?.()) ?? [];
    started.push(...own);
    const url = own.map((server) => server.url).join(',');
    urls[name] = name === 'redlock' ? `redlock:${url}` : url;
  }
  const at = (flag: keyof Places) => args[flag] !== undefined && { [flag]: urls[args[flag]] ?? args[flag] };
  return { ...args, ...at('broker'), ...at('coordinator'), [Symbol.asyncDispose]: stop };
}

function stopWhenTold(stop: () => Promise<void>): void {
  const end = (signal: NodeJS.Signals) => {
    void stop().finally(() => process.exit(signal === 'SIGINT' ? 130 : 143));
  };
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
}
