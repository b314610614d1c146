/** Sides that never rest, on three Redis masters where one thing after another goes wrong */
import { readFlags } from '../../bench/support/flags.js';
import { faults } from '../faults/faults.js';
import { Load } from '../faults/load.js';
import { playFaults } from '../faults/play.js';
import { lease, loadOptions, masterOptions, newName, startSide } from '../faults/redlock-stage.js';
import { startRedis } from '../support/servers/index.js';

const faultFlags = readFlags('Three Redis masters, where one thing after another goes wrong.', {
  count: { default: 100, help: 'faults, one after the other' },
  only: { default: '', help: 'only faults whose name contains this' },
});

const nodes = await Promise.all(Array.from({ length: 3 }, () => startRedis(masterOptions)));
const contested = [newName(), newName()].map((name) => ({ name, capacity: 1 }));
const sides = await Promise.all(Array.from({ length: 3 }, () => startSide(nodes)));
const load = new Load(
  sides.map(({ locks }) => locks),
  contested,
  loadOptions,
);

await playFaults(faults, {
  ...faultFlags,
  stage: { nodes, sides, lease, marker: 'lk1' },
  load,
  clean: async () => {
    const states = contested.map(({ name }) => sides[0]!.coordinator.inspect(name, { timeout: 2_000 }));
    return (await Promise.all(states)).every(({ holders }) => holders.length === 0);
  },
});
await Promise.all(sides.map((side) => side.close()));
await Promise.all(nodes.map((node) => node.stop()));
