import { posix } from 'node:path';
import { type Import, importsOf } from './imports.js';

/**
 * Who may import whom in `src`, lowest first. A unit is a folder of `src`; its loose files are together `base`, but for
 * `index.ts`, which is a unit of its own. A file may import from its own unit and from the layers below it, so the
 * units of one layer are strangers to each other.
 */
export const layers: readonly (readonly string[])[] = [
  ['base'],
  ['redis', 'rabbitmq'],
  ['locks', 'brokers', 'results'],
  ['tasks'],
  ['worker', 'beat'],
  ['decorators'],
  ['exports'],
  ['testing', 'cli', 'index'],
];

/** The client libraries a user may have installed, and the only folders of `src` that may know them. */
export const clients: Readonly<Record<string, readonly string[]>> = {
  ioredis: ['redis'],
  redlock: ['locks'],
  etcd3: ['locks'],
  cockatiel: ['locks'],
  'node-zookeeper-client': ['locks'],
  amqplib: ['rabbitmq'],
  '@opentelemetry/api': ['worker'],
  commander: ['cli'],
  pino: ['cli'],
};

/** Units that import files of the user, whose names nobody knows beforehand. */
const mayComputeNames: readonly string[] = ['cli'];

/** Every breach of the rules above, as sentences. Files are named by their path in `src`. */
export function breaches(files: Readonly<Record<string, string>>): string[] {
  return Object.entries(files).flatMap(([path, source]) => {
    if (rankOf(unitOf(path)) === -1) return [`${path} belongs to no layer`];
    return importsOf(source)
      .map((found) => breach(path, found))
      .filter((problem) => problem !== undefined)
      .map((problem) => `${path} ${problem}`);
  });
}

function breach(path: string, { specifier, kind }: Import): string | undefined {
  if (specifier === undefined) {
    return mayComputeNames.includes(unitOf(path)) ? undefined : 'imports a name that it computes';
  }
  if (specifier.startsWith('.')) return breachInside(path, specifier);
  return specifier.startsWith('node:') ? undefined : breachOutside(path, specifier, kind);
}

function breachInside(path: string, specifier: string): string | undefined {
  const target = posix.join(posix.dirname(path), specifier);
  if (target.startsWith('..')) return `imports ${specifier}, which is not in src`;

  const from = unitOf(path);
  const to = unitOf(target);
  if (from === to || (rankOf(to) !== -1 && rankOf(to) < rankOf(from))) return undefined;
  return `imports ${target}, but ${from} may not know ${to}`;
}

function breachOutside(path: string, specifier: string, kind: Import['kind']): string | undefined {
  const name = packageOf(specifier);
  const folders = Object.hasOwn(clients, name) ? clients[name] : undefined;
  if (folders === undefined) return `imports ${specifier}, which is neither node: nor an optional client`;
  if (!folders.some((folder) => path.startsWith(`${folder}/`))) {
    return `imports ${name}, which only ${folders.join(', ')} may know`;
  }
  return kind === 'value' ? `loads ${name} whether it is used or not` : undefined;
}

function unitOf(path: string): string {
  const [first = '', ...rest] = path.split('/');
  if (rest.length > 0) return first;
  return /^index\.[jt]s$/.test(first) ? 'index' : 'base';
}

const rankOf = (unit: string): number => layers.findIndex((layer) => layer.includes(unit));

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}
