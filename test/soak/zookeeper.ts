/** Sides that never rest, on three ZooKeepers where one thing after another goes wrong: [faults] [fault] */
import { Load } from '../faults/load.js';
import { playFaults } from '../faults/play.js';
import { newName, nothingLeft } from '../faults/side.js';
import { zookeeperFaults } from '../faults/zookeeper-faults.js';
import { lease, startSide } from '../faults/zookeeper-stage.js';
import { startZooKeeperEnsemble } from '../support/servers/index.js';

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
  stage: { nodes: server.nodes, sides, lease, marker: '__lock__', server },
  load,
  clean: async () => {
    const left = [lock, both, pool].map(({ name }) => nothingLeft(sides[0]!.coordinator, name));
    return (await Promise.all(left)).every(Boolean);
  },
});
await Promise.all(sides.map((side) => side.close()));
await server.stop();
