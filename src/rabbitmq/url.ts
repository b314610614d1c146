import { redact } from '../check.js';
import { ConfigError } from '../errors.js';

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

export interface RabbitHost {
  readonly host: string;
  readonly port: number;
}

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
  if (!groups) throw wrong(url, 'has not the form amqp://user:password@host:port/vhost');
  const tls = groups.tls === 's';
  return {
    hosts: (groups.hosts ?? '').split(',').map((host) => parseHost(host, tls ? 5671 : 5672, url)),
    tls,
    ...parseUser(groups.user, url),
    // An empty path is what most people mean by it: the virtual host that every server has.
    vhost: decode(groups.vhost ?? '', url) || '/',
    ...parseQuery(groups.query, url),
  };
}

function parseHost(text: string, standard: number, url: string): RabbitHost {
  const match = /^(?:\[([\da-fA-F:.]+)\]|([^:[\]\s]*))(?::(\d{1,5}))?$/.exec(text);
  const port = Number(match?.[3] ?? standard);
  if (!match || port < 1 || port > 65_535) throw wrong(url, 'has a host that is not of the form host:port');
  return { host: match[1] ?? (match[2] || 'localhost'), port };
}

function parseUser(user: string | undefined, url: string): Pick<RabbitTarget, 'username' | 'password'> {
  if (!user) return { username: 'guest', password: 'guest' };
  const [, name = '', password = ''] = /^([^:]*)(?::(.*))?$/.exec(user) ?? [];
  return { username: decode(name, url), password: decode(password, url) };
}

function parseQuery(query = '', url: string): Pick<RabbitTarget, 'prefix'> {
  const given = Object.fromEntries(new URLSearchParams(query));
  const stranger = Object.keys(given).find((name) => name !== 'prefix');
  if (stranger !== undefined) {
    throw wrong(url, `has a parameter \`${stranger}\` that is not known. There is \`prefix\``);
  }
  return given;
}

function decode(text: string, url: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw wrong(url, 'is not percent-encoded as a URL must be');
  }
}

function wrong(url: string, what: string): ConfigError {
  return new ConfigError(`The URL "${redact(url)}" ${what}`);
}
