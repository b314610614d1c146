import type { Broker, QueueOptions } from '../brokers/broker.js';
import { checkObject, checkText, checkWhole } from '../check.js';
import { ConfigError } from '../errors.js';

/** Tells the broker what is special about queues. Throws `ConfigError` for what it cannot do. */
export function declareQueues(broker: Broker, queues: Readonly<Record<string, QueueOptions>>): void {
  for (const [queue, options] of Object.entries(checkObject(queues, 'queues'))) {
    const { celery } = checkQueue(checkText(queue, 'queues'), options);
    if (celery === undefined || celery === false) continue;
    if (!broker.declare) {
      throw new ConfigError(
        `The queue "${queue}" is to be shared with Celery, which the ${broker.kind} broker cannot do: ` +
          'name a RabbitMQ as `broker` (amqp://), or leave `celery` out',
      );
    }
    broker.declare(queue, { celery });
  }
}

function checkQueue(queue: string, options: unknown): QueueOptions {
  const path = `queues["${queue}"]`;
  const { celery } = checkObject(options, path, ['celery']);
  if (celery === undefined || typeof celery === 'boolean') return { celery };
  if (typeof celery !== 'object' || celery === null) {
    throw ConfigError.expected(`${path}.celery`, 'true, false or { maxPriority }', celery);
  }
  const { maxPriority } = checkObject(celery, `${path}.celery`, ['maxPriority']);
  if (maxPriority === undefined) return { celery: true };
  const most = checkWhole(maxPriority, `${path}.celery.maxPriority`);
  if (most > 255)
    throw ConfigError.expected(`${path}.celery.maxPriority`, 'a whole number from 1 to 255', most);
  return { celery: { maxPriority: most } };
}
