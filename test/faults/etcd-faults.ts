import { setTimeout as sleep } from 'node:timers/promises';
import { compact, leaderOf } from './etcd-stage.js';
import { between, type Fault, faults, oneOf, withNode } from './faults.js';
import { type FleetStage, fleetFaults } from './fleet-faults.js';

export const etcdFaults: Readonly<Record<string, Fault<FleetStage>>> = {
  ...fleetFaults,
  // Who was away meanwhile cannot be told what happened.
  'the past is forgotten while a side is cut off': async (stage) => {
    const { proxies } = oneOf(stage.sides);
    for (const proxy of proxies) proxy.stop();
    await sleep(between(50, 500));
    await compact(stage);
    await Promise.all(proxies.map((proxy) => proxy.accept()));
  },
};

/** Of three. */
export const etcdClusterFaults: typeof etcdFaults = {
  ...etcdFaults,
  'most servers freeze': faults['most servers freeze']!,
  'the leader freezes': async (stage) => withNode(stage, await leaderOf(stage), 'freeze'),
  'the leader is killed': async (stage) => withNode(stage, await leaderOf(stage), 'kill'),
};
