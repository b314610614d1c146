import { decodePart, wrongUrl } from '../../url.js';

/** What a URL says. */
export interface EtcdTarget {
  readonly hosts: readonly string[];
  readonly tls: boolean;
  readonly username?: string;
  readonly password?: string;
  /** Files in PEM, named as `etcdctl` names them. */
  readonly cacert?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly prefix?: string;
}

const parameters = ['cacert', 'cert', 'key', 'prefix'] as const;
const shape = /^etcd(?<tls>s?):\/\/(?:(?<user>[^@/?#]*)@)?(?<hosts>[^/?#@]*)\/?(?:\?(?<query>[^#]*))?$/;
const standardPort = 2_379;

/**
 * `etcd://user:password@host:port,host:port`, or `etcds://` over TLS, with all or some of the members of one cluster.
 * `?cacert=`, `?cert=` and `?key=` are files in PEM; `?prefix=` is what the names of all keys begin with. Throws
 * `ConfigError`.
 */
export function parseEtcdUrl(url: string): EtcdTarget {
  const groups = shape.exec(url)?.groups;
  if (!groups) throw wrongUrl(url, 'has not the form etcd://user:password@host:port,host:port');
  const target = {
    hosts: (groups.hosts ?? '').split(',').map((host) => parseHost(host, url)),
    tls: groups.tls === 's',
    ...parseUser(groups.user, url),
    ...parseQuery(groups.query, url),
  };
  if (!target.tls && (target.cacert ?? target.cert ?? target.key) !== undefined) {
    throw wrongUrl(url, 'names certificates, which only etcds:// has a use for');
  }
  if ((target.cert === undefined) !== (target.key === undefined)) {
    throw wrongUrl(url, 'names one of `cert` and `key`, which are nothing without each other');
  }
  return target;
}

function parseHost(text: string, url: string): string {
  const match = /^(?<name>\[[\da-fA-F:.]+\]|[^:[\]]+)(?::(?<port>\d{1,5}))?$/.exec(text || 'localhost');
  const port = Number(match?.groups?.port ?? standardPort);
  if (!match || port < 1 || port > 65_535)
    throw wrongUrl(url, 'has a host that is not of the form host:port');
  return `${match.groups?.name}:${port}`;
}

function parseUser(user: string | undefined, url: string): Pick<EtcdTarget, 'username' | 'password'> {
  if (!user) return {};
  const [, username = '', password] = /^([^:]*)(?::(.*))?$/.exec(user) ?? [];
  if (!username || password === undefined)
    throw wrongUrl(url, 'names one of user and password, and not both');
  return { username: decodePart(username, url), password: decodePart(password, url) };
}

function parseQuery(query = '', url: string): Partial<Record<(typeof parameters)[number], string>> {
  const given = Object.fromEntries(new URLSearchParams(query));
  for (const name of Object.keys(given)) {
    if ((parameters as readonly string[]).includes(name)) continue;
    const known = parameters.map((parameter) => `\`${parameter}\``).join(', ');
    throw wrongUrl(url, `has a parameter \`${name}\` that is not known. There are ${known}`);
  }
  return given;
}
