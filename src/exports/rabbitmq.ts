export { type RabbitmqBrokerOptions, rabbitmqBroker } from '../brokers/rabbitmq.js';
export type { AmqpConnection } from '../rabbitmq/client.js';
export type { ConnectionOpener, ConnectionOptions } from '../rabbitmq/open.js';
export { type RpcResultsOptions, rpcResults } from '../results/rpc.js';
