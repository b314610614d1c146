import type { Clock } from '../clock.js';
import { type Drivers, InMemory, openBy } from '../opening.js';
import type { Broker } from './broker.js';
import { memoryBroker } from './memory.js';
import { rabbitmqBroker } from './rabbitmq.js';
import { redisBroker } from './redis.js';

const inMemory = new InMemory<Broker>();

const drivers: Drivers<Broker> = {
  redis: redisBroker,
  rediss: redisBroker,
  'redis+sentinel': redisBroker,
  'rediss+sentinel': redisBroker,
  'redis+cluster': redisBroker,
  'rediss+cluster': redisBroker,
  amqp: rabbitmqBroker,
  amqps: rabbitmqBroker,
};

/**
 * The broker a URL names. `memory:` is one of its own, for an app by itself; `memory:NAME` is shared by the apps of this
 * process that name it. Any other has connections of its own.
 */
export function openBroker(url: string, clock: Clock): Broker {
  return inMemory.open(url, () => memoryBroker({ clock })) ?? openBy(drivers, url, 'broker');
}
