import type { Broker } from '../brokers/broker.js';
import { openBroker } from '../brokers/open.js';
import { RabbitmqBroker } from '../brokers/rabbitmq.js';
import { RedisBroker } from '../brokers/redis.js';
import type { Clock } from '../clock.js';
import { ConfigError } from '../errors.js';
import type { Coordinator } from '../locks/coordinator.js';
import { memoryCoordinator } from '../locks/memory.js';
import { coordinatorFrom, type OpenCoordinator, openCoordinator } from '../locks/open.js';
import { redisCoordinator } from '../locks/redis.js';
import { openResults } from '../results/open.js';
import { redisResults } from '../results/redis.js';
import type { ResultStore } from '../results/result-store.js';
import { RpcResults } from '../results/rpc.js';
import { at } from '../servers.js';

export interface PartsOptions {
  readonly broker?: string | Broker | undefined;
  readonly coordinator?: string | Coordinator | undefined;
  readonly results?: string | ResultStore | undefined;
  readonly clock?: Clock;
}

/** What an app stands on. */
export interface Parts {
  readonly broker: Broker;
  /** Closed with the locks that use it. */
  readonly coordinator: OpenCoordinator;
  readonly results: ResultStore;
  /** Closes those that nobody else can have: what was handed over, or is shared by its name, stays open. */
  close(): Promise<void>;
}

type Owned = { close(): Promise<void> };

/** Opens what is named by a URL, and takes what is handed over as it is. */
export function openParts(options: PartsOptions, clock: Clock): Parts {
  const owned: Owned[] = [];
  const own: Own = (part) => {
    owned.push(part);
    return part;
  };
  const open: Open = (given, name, opened) => {
    if (typeof given !== 'string') return checkPart(given, name);
    const part = at(given, opened(given));
    return /^memory:./.test(given) ? part : own(part);
  };
  const named = options.broker ?? 'memory:';
  const broker = open(named, 'broker', (url) => openBroker(url, clock));
  const results = resultsOf(options, broker, { open, own, clock });
  return {
    broker,
    results,
    coordinator: coordinatorOf(options, broker),
    close: async () => void (await Promise.all(owned.map((part) => part.close()))),
  };
}

type Open = <P extends Owned>(given: string | P, name: string, opened: (url: string) => P) => P;
type Own = <P extends Owned>(part: P) => P;

/** Where results are if nobody says: with the broker where that can keep or send them, else in this process. */
function resultsOf(
  { broker: named = 'memory:', results }: PartsOptions,
  broker: Broker,
  { open, own, clock }: { open: Open; own: Own; clock: Clock },
): ResultStore {
  const areSent = typeof results === 'string' && /^rpc:(?:\/\/)?$/.test(results);
  if (areSent && !(broker instanceof RabbitmqBroker)) {
    throw new ConfigError(
      `Results are sent (\`results: 'rpc://'\`) by the RabbitMQ that is the \`broker\`, and here that is ${broker.kind}`,
    );
  }
  const opened = (given: string | ResultStore) => open(given, 'results', (url) => openResults(url, clock));
  if (results !== undefined && !areSent) return opened(results);
  if (broker instanceof RedisBroker && typeof named !== 'string') return own(redisResults(broker.redis));
  if (broker instanceof RabbitmqBroker && typeof named !== 'string')
    return own(new RpcResults(broker.source));
  return opened(typeof named === 'string' && /^(?:memory|rediss?|amqps?)\b/.test(named) ? named : 'memory:');
}

function coordinatorOf({ broker: named, coordinator, clock }: PartsOptions, broker: Broker): OpenCoordinator {
  if (coordinator !== undefined) return coordinatorFrom(coordinator, 'coordinator');
  if (broker.kind === 'memory') {
    return clock ? coordinatorFrom(memoryCoordinator({ clock }), 'coordinator') : openCoordinator('memory:');
  }
  if (!(broker instanceof RedisBroker)) {
    throw new ConfigError(`An app on the ${broker.kind} broker needs a \`coordinator\`: name one`);
  }
  if (typeof named === 'string') return openCoordinator(named);
  const own = redisCoordinator(broker.redis, { prefix: broker.prefix });
  return { coordinator: own, close: () => own.close() };
}

function checkPart<P>(given: P, name: string): P {
  if (typeof given === 'object' && given !== null) return given;
  throw ConfigError.expected(name, 'a URL, or an object that is one', given);
}
