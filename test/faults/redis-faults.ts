import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { between, type Fault, oneOf, type Stage, faults as usual } from './faults.js';
import type { Fleet } from './fleet.js';

export interface RedisStage extends Stage {
  readonly fleet: Fleet;
  readonly client: Redis;
}

const { 'this process stalls': _, 'most servers freeze': __, ...common } = usual;

export const redisFaults: Readonly<Record<string, Fault<RedisStage>>> = {
  ...common,
  'a process is stopped, and wakes': async ({ fleet, lease }) => {
    const { peer } = oneOf(fleet.members);
    await peer.freeze();
    await sleep(between(0.1, 2) * lease);
    peer.thaw();
  },
  'a process is killed': ({ fleet }) => fleet.replace(oneOf(fleet.members)),
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
