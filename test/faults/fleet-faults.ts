import { setTimeout as sleep } from 'node:timers/promises';
import { between, type Fault, faults, oneOf, type Stage } from './faults.js';
import type { Fleet } from './fleet.js';

/** A stage whose sides are processes of their own. */
export interface FleetStage extends Stage {
  readonly fleet: Fleet;
}

const { 'this process stalls': _, 'most servers freeze': __, ...common } = faults;

export const fleetFaults: Readonly<Record<string, Fault<FleetStage>>> = {
  ...common,
  'a process is stopped, and wakes': async ({ fleet, lease }) => {
    const { peer } = oneOf(fleet.members);
    await peer.freeze();
    await sleep(between(0.1, 2) * lease);
    peer.thaw();
  },
  'a process is killed': ({ fleet }) => fleet.replace(oneOf(fleet.members)),
};

/** What takes too long for a test. */
export const longFaults: Readonly<Record<string, Fault>> = {
  'all servers are gone for half a minute': async ({ nodes }) => {
    await Promise.all(nodes.map((node) => node.kill()));
    await sleep(30_000);
    await Promise.all(nodes.map((node) => node.restart()));
  },
};
