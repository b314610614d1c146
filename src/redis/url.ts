import { decodePart, type Host, parseHost, wrongUrl } from '../url.js';

/** Where a Redis is and how it is entered, as a URL says. */
export interface RedisTarget {
  readonly kind: 'single' | 'sentinel' | 'cluster';
  /** Servers, sentinels, or some nodes of the cluster. */
  readonly hosts: readonly RedisHost[];
  readonly tls: boolean;
  readonly username?: string;
  readonly password?: string;
  readonly db: number;
  /** What the sentinels call the master. */
  readonly master?: string;
  readonly sentinelUsername?: string;
  readonly sentinelPassword?: string;
  /** What the names of all keys begin with. */
  readonly prefix?: string;
}

export type RedisHost = Host;

const shape =
  /^redis(?<tls>s?)(?:\+(?<kind>sentinel|cluster))?:(?:\/\/(?:(?<user>[^@/?#]*)@)?(?<hosts>[^/?#]*)(?<path>\/[^?#]*)?)?(?:\?(?<query>[^#]*))?$/;

const ports = { single: 6379, sentinel: 26_379, cluster: 6379 };

const parameters = ['prefix', 'sentinelUsername', 'sentinelPassword'] as const;

/**
 * Reads a URL:
 *
 *     redis://user:password@host:6379/0
 *     redis+sentinel://:password@host:26379,host:26379/master-name/0?sentinelPassword=secret
 *     redis+cluster://host:7000,host:7001
 *
 * `rediss`, `rediss+sentinel` and `rediss+cluster` are the same over TLS. What has a special meaning in a URL is
 * percent-encoded in user, password and master. `?prefix=` is what the names of all keys begin with. Throws `ConfigError`.
 */
export function parseRedisUrl(url: string): RedisTarget {
  const groups = shape.exec(url)?.groups;
  if (!groups) throw wrongUrl(url, 'has not the form redis://user:password@host:port/database');
  const kind = (groups.kind ?? 'single') as RedisTarget['kind'];
  const hosts = (groups.hosts ?? '').split(',').map((host) => parseHost(host, ports[kind], url));
  if (kind === 'single' && hosts.length > 1) {
    throw wrongUrl(url, 'names several hosts: say redis+sentinel:// or redis+cluster://');
  }
  return {
    kind,
    hosts,
    tls: groups.tls === 's',
    ...parseUser(groups.user, url),
    ...parsePath(groups.path, kind, url),
    ...parseQuery(groups.query, url),
  };
}

function parseUser(user: string | undefined, url: string): Pick<RedisTarget, 'username' | 'password'> {
  if (!user) return {};
  const [, name = '', password] = /^([^:]*)(?::(.*))?$/.exec(user) ?? [];
  return {
    ...(name && { username: decodePart(name, url) }),
    ...(password !== undefined && { password: decodePart(password, url) }),
  };
}

function parsePath(path = '', kind: RedisTarget['kind'], url: string): Pick<RedisTarget, 'db' | 'master'> {
  const parts = path.split('/').filter((part) => part !== '');
  const master = kind === 'sentinel' ? decodePart(parts.shift() ?? '', url) : undefined;
  if (master === '') throw wrongUrl(url, 'does not name the master: redis+sentinel://host,host/NAME');
  const [db = '0', ...rest] = parts;
  if (!/^\d+$/.test(db) || rest.length > 0)
    throw wrongUrl(url, 'has a database that is not a number from 0 up');
  if (kind === 'cluster' && db !== '0') throw wrongUrl(url, 'names a database, and a cluster has only one');
  return { db: Number(db), ...(master !== undefined && { master }) };
}

function parseQuery(query = '', url: string): Partial<Record<(typeof parameters)[number], string>> {
  const given = Object.fromEntries(new URLSearchParams(query));
  for (const name of Object.keys(given)) {
    if ((parameters as readonly string[]).includes(name)) continue;
    throw wrongUrl(
      url,
      `has a parameter \`${name}\` that is not known. There are ${parameters.map((p) => `\`${p}\``).join(', ')}`,
    );
  }
  return given;
}
