import { redact } from '../../check.js';
import { ConfigError } from '../../errors.js';
import { isZooKeeperClient, newClient, type ZooKeeperClient, type ZooKeeperTarget } from './client.js';
import { hasInternals } from './internals.js';

/** Where clients come from. */
export interface ZooKeeperSource {
  /** A client whose session lasts so many milliseconds, unless the server bounds it. */
  open(sessionTimeout: number): Promise<ZooKeeperClient>;
  /** Whether it is to be connected, and closed, by whoever asked for it. */
  readonly owned: boolean;
  /** The node that all others are under, if the source says: `/chroot`, or nothing for the root. */
  readonly chroot: string;
  /** What the source says of options, as texts. */
  readonly options: Readonly<Record<string, string>>;
}

export type ZooKeeperSourceLike = string | ZooKeeperClient | ((sessionTimeout: number) => ZooKeeperClient);

const shape = /^zk:\/\/(?:(?<auth>[^@/?#]*)@)?(?<hosts>[^@/?#]+)(?<chroot>\/[^?#]*)?(?:\?(?<query>[^#]*))?$/;

/** Throws `ConfigError` for what is no source; nothing is connected yet. */
export function sourceOf(given: ZooKeeperSourceLike): ZooKeeperSource {
  if (typeof given === 'string') return fromUrl(given);
  if (typeof given === 'function') {
    return {
      open: async (sessionTimeout) => checked(given(sessionTimeout)),
      owned: true,
      chroot: '',
      options: {},
    };
  }
  const client = checked(given);
  return { open: async () => client, owned: false, chroot: '', options: {} };
}

function checked(client: unknown): ZooKeeperClient {
  if (!isZooKeeperClient(client)) {
    throw ConfigError.expected('client', 'a URL, or a client of node-zookeeper-client', client);
  }
  if (hasInternals(client)) return client;
  throw new ConfigError(
    'This client is not one of node-zookeeper-client 1.1.3: install that, or hand over a URL',
  );
}

/** Reads `zk://user:password@host:2181,host:2181/chroot?prefix=lk`, and other options like it. */
function fromUrl(url: string): ZooKeeperSource {
  const groups = shape.exec(url)?.groups;
  if (!groups) throw wrong(url, 'has not the form zk://host:2181,host:2181/chroot');
  const target: ZooKeeperTarget = {
    hosts: hostsOf(groups.hosts as string, url),
    ...(groups.auth && { auth: decode(groups.auth, url) }),
  };
  return {
    open: async (sessionTimeout) =>
      checked(await newClient(target, { sessionTimeout, spinDelay: Math.min(1_000, sessionTimeout / 6) })),
    owned: true,
    chroot: (groups.chroot ?? '').replace(/\/+/g, '/').replace(/\/$/, ''),
    options: Object.fromEntries(new URLSearchParams(groups.query)),
  };
}

function hostsOf(hosts: string, url: string): string {
  for (const host of hosts.split(',')) {
    const match = /^[^:[\]]+(?::(\d{1,5}))?$/.exec(host);
    const port = Number(match?.[1] ?? 2181);
    if (match && port > 0 && port < 65_536) continue;
    throw wrong(url, 'has a host that is not of the form host:port (addresses of IPv6 need a name)');
  }
  return hosts;
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
