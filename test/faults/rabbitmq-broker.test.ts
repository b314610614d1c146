import { RabbitmqBroker } from '../../src/brokers/rabbitmq.js';
import { useRabbitMq, useShared } from '../support/servers/index.js';
import { brokerFaultSuite } from './broker/suite.js';

const redis = useShared('redis');
const server = useRabbitMq();

brokerFaultSuite('the rabbitmq broker', {
  server,
  connect: (url) => new RabbitmqBroker(url),
  keepsHand: false,
  closeChannels: () => server.closeChannels(),
  // RabbitMQ 3.10 does not bring back a quorum queue that was made within a few seconds of its being killed.
  takesRoot: 8_000,
  // Each goes down the ladder step by step, from one quorum queue to the next.
  takesDelayed: 10_000,
  coordinator: () => redis.url,
});
