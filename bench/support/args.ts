import { type Flag, type Flags, readFlags, type Values } from './flags.js';

const everywhere = {
  json: { default: false, help: 'one JSON object per row, and nothing else' },
} satisfies Flags;

const place = (names: readonly string[]) => ({
  default: 'memory',
  help: `${names.map((name) => `\`${name}\``).join(', ')} (on a server of its own), or a URL`,
  names,
});

export const broker = place(['memory', 'redis', 'rabbitmq']) satisfies Flag;
export const coordinator = place(['memory', 'redis', 'etcd', 'zookeeper']) satisfies Flag;
/** For what stands beside its peers, of which \`redlock\` has three servers. */
export const coordinatorOrRedlock = place([...coordinator.names, 'redlock']) satisfies Flag;

/** The flags a benchmark was called with. Ends the process when it was asked for help, or called wrongly. */
export function benchArgs<F extends Flags>(about: string, own: F): Values<F & typeof everywhere> {
  return readFlags(about, { ...own, ...everywhere });
}
