import type { Ensemble } from '../support/servers/index.js';
import { type Fault, faults, type Stage, withNode } from './faults.js';
import { leaderOf } from './zookeeper-stage.js';

export interface ZooKeeperStage extends Stage {
  readonly server: Ensemble;
}

export const zookeeperFaults: Readonly<Record<string, Fault<ZooKeeperStage>>> = {
  ...faults,
  'the leader freezes': async (stage) => withNode(stage, await leaderOf(stage.server), 'freeze'),
  'the leader is killed': async (stage) => withNode(stage, await leaderOf(stage.server), 'kill'),
};
