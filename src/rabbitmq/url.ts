import { decodePart, type Host, parseHost, wrongUrl } from '../url.js';

/** Where a RabbitMQ is and how it is entered, as a URL says. */
export interface RabbitTarget {
  /** Nodes of one cluster, or a single server. */
  readonly hosts: readonly RabbitHost[];
  readonly tls: boolean;
  readonly username: string;
  readonly password: string;
  readonly vhost: string;
  /** What the names of all queues and exchanges begin with. */
  readonly prefix?: string;
}

export type RabbitHost = Host;

const shape =
  /^amqp(?<tls>s?):(?:\/\/(?:(?<user>[^@/?#]*)@)?(?<hosts>[^/?#]*)(?:\/(?<vhost>[^/?#]*))?)?(?:\?(?<query>[^#]*))?$/;

/**
 * Reads a URL:
 *
 *     amqp://user:password@host:5672/vhost
 *     amqps://user:password@host,host,host/vhost?prefix=shop
 *
 * `amqps` is the same over TLS; several hosts are nodes of one cluster. Without a path the virtual host is `/`; what has a
 * special meaning in a URL is percent-encoded in user, password and virtual host. `?prefix=` is what the names of all
 * queues and exchanges begin with. Throws `ConfigError`.
 */
export function parseRabbitUrl(url: string): RabbitTarget {
  const groups = shape.exec(url)?.groups;
  if (!groups) throw wrongUrl(url, 'has not the form amqp://user:password@host:port/vhost');
  const tls = groups.tls === 's';
  return {
    hosts: (groups.hosts ?? '').split(',').map((host) => parseHost(host, tls ? 5671 : 5672, url)),
    tls,
    ...parseUser(groups.user, url),
    // An empty path is what most people mean by it: the virtual host that every server has.
    vhost: decodePart(groups.vhost ?? '', url) || '/',
    ...parseQuery(groups.query, url),
  };
}

function parseUser(user: string | undefined, url: string): Pick<RabbitTarget, 'username' | 'password'> {
  if (!user) return { username: 'guest', password: 'guest' };
  const [, name = '', password = ''] = /^([^:]*)(?::(.*))?$/.exec(user) ?? [];
  return { username: decodePart(name, url), password: decodePart(password, url) };
}

function parseQuery(query = '', url: string): Pick<RabbitTarget, 'prefix'> {
  const given = Object.fromEntries(new URLSearchParams(query));
  const stranger = Object.keys(given).find((name) => name !== 'prefix');
  if (stranger !== undefined) {
    throw wrongUrl(url, `has a parameter \`${stranger}\` that is not known. There is \`prefix\``);
  }
  return given;
}
