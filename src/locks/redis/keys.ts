/**
 * The names of the keys of a resource.
 *
 * All of them hash to one slot of a Redis Cluster, which goes by what stands between the first `{` and the next `}` of a
 * name. A resource whose own name says so goes to the slot it names, next to the user's keys.
 */
export interface Keys {
  /** What is known of the resource, its holders and its places: a text where that is little, else a hash. */
  readonly state: string;
  /** A sorted set: when each of several holders and places ends. */
  readonly ends: string;
  /** A sorted set: the places by their tickets. */
  readonly line: string;
  /** A hash: the two marks of a rate, and what was charged, by id. */
  readonly rate: string;
  /** A sorted set: until when each of these counts. */
  readonly charges: string;
  /** A text: the last fencing token of the layout `string`. Its being there says that this layout is in use. */
  readonly fence: string;
  /** A text: why a resource in the layout `string` is on hold. */
  readonly pause: string;
  /** The key of the layout `string`, to be looked at where that can be done in the same step; else `state` again. */
  readonly shared: string;
}

/** What this side remembers of a resource. */
export interface KnownKeys extends Keys {
  /** The last claim found it free and used lately. The next one likely does, too, and asks for less. */
  quick: boolean;
}

export function keysOf(prefix: string, resource: string): Keys {
  const base = baseOf(prefix, resource);
  return {
    state: `${base}:state`,
    ends: `${base}:ends`,
    line: `${base}:line`,
    rate: `${base}:rate`,
    charges: `${base}:charges`,
    fence: fenceOf(base, resource),
    pause: `${base}:pause`,
    shared: isPlain(resource) || tagOf(resource) !== undefined ? resource : `${base}:state`,
  };
}

/** Names with braces begin with another sign, so that no two names have the same keys. */
function baseOf(prefix: string, resource: string): string {
  if (isPlain(resource)) return `${prefix}:{${resource}}`;
  const name = resource.replace(/[%{}]/g, encodeURIComponent);
  return `${prefix}.{${tagOf(resource) ?? (name || '%')}}${name}`;
}

/**
 * Next to the key that other programs lock, which is the resource's name itself, where such a name can be made. The
 * endings differ because `a` and `{a}` are two resources.
 */
function fenceOf(base: string, resource: string): string {
  if (isPlain(resource)) return `{${resource}}:fence`;
  return tagOf(resource) === undefined ? `${base}:fence` : `${resource}.fence`;
}

function isPlain(resource: string): boolean {
  return resource !== '' && !/[{}]/.test(resource);
}

/** What Redis Cluster hashes instead of the whole name. */
function tagOf(resource: string): string | undefined {
  return /^[^{]*\{([^}]+)\}/.exec(resource)?.[1];
}
