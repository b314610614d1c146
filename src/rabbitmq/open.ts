import { checkText } from '../check.js';
import { ConfigError } from '../errors.js';
import type { AmqpConnection } from './client.js';
import { parseRabbitUrl, type RabbitHost, type RabbitTarget } from './url.js';

/** Opens connections to one RabbitMQ. */
export interface RabbitSource {
  /** For messages: without any password. */
  readonly name: string;
  /** What the names of all queues and exchanges begin with, if the URL says. */
  readonly prefix?: string | undefined;
  /** Another connection. Always closed by whoever asked for it. */
  open(options: ConnectionOptions): Promise<AmqpConnection>;
}

export interface ConnectionOptions {
  /** Seconds between two signs of life, either way. Who gives none for two of them is taken to be gone. */
  readonly heartbeat: number;
  /** Milliseconds for the whole of connecting. */
  readonly timeout: number;
  /** What RabbitMQ's own tools show the connection as. */
  readonly label: string;
}

/** Opens a connection of amqplib's promise API, with the heartbeat (in seconds) that is asked for. */
export type ConnectionOpener = (options: ConnectionOptions) => Promise<AmqpConnection>;

/** The RabbitMQ that was named by its URL, or that a function connects to. Throws `ConfigError` for what is neither. */
export function rabbitFrom(rabbit: string | ConnectionOpener): RabbitSource {
  if (typeof rabbit === 'string') return rabbitFromUrl(rabbit);
  if (typeof rabbit === 'function') return { name: 'the server of the function', open: rabbit };
  throw ConfigError.expected('rabbit', 'a URL, or a function that opens a connection of amqplib', rabbit);
}

/** What the names of queues and exchanges begin with. */
export function checkPrefix(prefix: unknown): string {
  if (/^[\w.-]{1,50}$/.test(checkText(prefix, 'prefix'))) return prefix as string;
  throw ConfigError.expected('prefix', 'up to 50 letters, digits, dots, dashes and underscores', prefix);
}

function rabbitFromUrl(url: string): RabbitSource {
  const target = parseRabbitUrl(url);
  const { hosts, vhost, prefix } = target;
  let next = 0;
  return {
    name: hosts.map(({ host, port }) => `${host}:${port}`).join(',') + (vhost === '/' ? '' : `/${vhost}`),
    prefix,
    // Each attempt asks the next node: the one before may be the one that is down.
    open: (options) => connect(target, hosts[next++ % hosts.length] as RabbitHost, options),
  };
}

async function connect(
  { tls, username, password, vhost }: RabbitTarget,
  { host, port }: RabbitHost,
  { heartbeat, timeout, label }: ConnectionOptions,
): Promise<AmqpConnection> {
  const amqplib = await load();
  const target = {
    protocol: tls ? 'amqps' : 'amqp',
    hostname: host,
    port,
    username,
    password,
    // amqplib decodes it once more.
    vhost: encodeURIComponent(vhost),
    // Here and nowhere else does amqplib read it.
    heartbeat,
  };
  const connection = await amqplib.connect(target, {
    noDelay: true,
    timeout,
    clientProperties: { connection_name: label },
  });
  return connection as unknown as AmqpConnection;
}

async function load(): Promise<Pick<typeof import('amqplib'), 'connect'>> {
  try {
    return await import('amqplib');
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new ConfigError('RabbitMQ needs the package `amqplib`: npm install amqplib', { cause: error });
  }
}
