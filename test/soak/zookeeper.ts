/** Sides that never rest, on three ZooKeepers where one thing after another goes wrong */
import { readFlags } from '../../bench/support/flags.js';
import { Load } from '../faults/load.js';
import { playFaults } from '../faults/play.js';
import { newName, nothingLeft } from '../faults/side.js';
import { zookeeperFaults } from '../faults/zookeeper-faults.js';
import { lease, startSide } from '../faults/zookeeper-stage.js';
import { startZooKeeperEnsemble } from '../support/servers/index.js';

const faultFlags = readFlags('Three ZooKeepers, where one thing after another goes wrong.', {
  count: { default: 100, help: 'faults, one after the other' },
  only: { default: '', help: 'only faults whose name contains this' },
});

const server = await startZooKeeperEnsemble();
const lock = { name: newName(), capacity: 1 };
const both = { name: newName(), capacity: 1 };
const pool = { name: newName(), capacity: 3, mostWeight: 2 };
const resources = { [pool.name]: { capacity: pool.capacity }, [both.name]: { layout: 'both' } };
const sides = await Promise.all(Array.from({ length: 4 }, () => startSide(server, resources)));
const load = new Load(
  sides.map(({ locks }) => locks),
  [lock, both, pool],
);

await playFaults(zookeeperFaults, {
  ...faultFlags,
  stage: { nodes: server.nodes, sides, lease, marker: '__lock__', server },
  load,
  clean: async () => {
    const left = [lock, both, pool].map(({ name }) => nothingLeft(sides[0]!.coordinator, name));
    return (await Promise.all(left)).every(Boolean);
  },
});
await Promise.all(sides.map((side) => side.close()));
await server.stop();
