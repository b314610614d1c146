import { createHash } from 'node:crypto';

/** Where a resource is kept. */
export interface Paths {
  readonly resource: string;
  /**
   * Of a lock: its contenders are the children. Of a semaphore: its leases are the children, and the data is how many
   * there may be.
   */
  readonly base: string;
  /** Of a semaphore: the lock that whoever wants a lease takes first. It also has the notes of operators. */
  readonly queue: string;
}

/** What kazoo adds to the path of a semaphore. */
const queueSuffix = '-__lock__';

const longest = 200;

/**
 * The nodes of a resource, below `root`. Its name is that of the node, as kazoo and Curator would be given it, where that
 * may be; what may not stand in the name of a node is percent-encoded, and a long name is cut and digested.
 */
export function pathsOf(root: string, resource: string): Paths {
  const base = `${root}/${nodeName(resource)}`;
  return { resource, base, queue: base + queueSuffix };
}

function nodeName(resource: string): string {
  const name = simple.test(resource) ? resource : encodedName(resource);
  if (name === '') return '%';
  if (/^\.{1,2}$/.test(name) || name === 'zookeeper') return encoded(name[0] as string) + name.slice(1);
  // Else it would be the queue of a semaphore with a shorter name.
  if (name.endsWith(queueSuffix)) return name.slice(0, -1) + encoded('_');
  if (name.length <= longest) return name;
  return `${name.slice(0, 64)}~${createHash('sha256').update(resource).digest('hex')}`;
}

/** Most are. */
const simple = /^[\w.:@=,+ -]*$/;

function encodedName(resource: string): string {
  let name = '';
  for (const character of resource) name += isPlain(character) ? character : encoded(character);
  return name;
}

/** Letters of all languages are, but for those beyond the 65,536 first characters, which ZooKeeper refuses. */
function isPlain(character: string): boolean {
  return character.length === 1 && /[\p{L}\p{N}_.:@=,+ -]/u.test(character);
}

function encoded(character: string): string {
  const hex = [...Buffer.from(character)].map((byte) => byte.toString(16).padStart(2, '0').toUpperCase());
  return hex.map((byte) => `%${byte}`).join('');
}

/** Every node above this one, from the top, and the node itself. */
export function upTo(path: string): string[] {
  const names = path.split('/').slice(1);
  return names.map((_, i) => `/${names.slice(0, i + 1).join('/')}`);
}
