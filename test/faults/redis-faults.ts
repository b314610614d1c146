import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { between, type Fault } from './faults.js';
import { type FleetStage, fleetFaults } from './fleet-faults.js';

export interface RedisStage extends FleetStage {
  readonly client: Redis;
}

export const redisFaults: Readonly<Record<string, Fault<RedisStage>>> = {
  ...fleetFaults,
  'the server forgets its scripts': async ({ client }) => {
    for (let i = 0; i < 20; i++) {
      await client.script('FLUSH');
      await sleep(between(1, 20));
    }
  },
  'the server ends its connections': async ({ client }) => {
    for (const type of ['normal', 'pubsub'])
      await client.call('client', 'kill', 'type', type, 'skipme', 'yes');
  },
};
