import { ask } from './ask.js';
import { makeCertificate } from './certificate.js';
import { temporaryFolder } from './folders.js';
import { freePort } from './ports.js';
import { locate, programs } from './programs.js';
import { SingleServer, type Spec } from './server.js';

export interface RedisOptions {
  /** What clients have to say, as the default user. Default: nothing. */
  readonly password?: string;
  /** Speaks TLS only, with a certificate of its own for 127.0.0.1 and localhost. Default: false. */
  readonly tls?: boolean;
  /** Keeps what it has acknowledged over a kill and a restart. Default: false, it comes back empty. */
  readonly persist?: boolean;
  /** Further settings by their names in redis.conf, such as `'maxmemory-policy'`. */
  readonly settings?: Readonly<Record<string, string | number>>;
}

export class RedisServer extends SingleServer {
  constructor(
    spec: Spec,
    /** The certificate a client has to trust, in PEM, when it speaks TLS. */
    readonly ca?: string,
  ) {
    super(spec);
  }
}

/** One Redis. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  return (await redisServer(options)).start();
}

/** One that is yet to be started. */
export async function redisServer(options: RedisOptions = {}): Promise<RedisServer> {
  const { password, tls = false, persist = false, settings = {} } = options;
  const program = locate(programs.redis);
  const port = await freePort();
  const folder = await temporaryFolder('redis');
  const ca = tls ? await makeCertificate(folder) : undefined;
  const args = flags({
    bind: '127.0.0.1',
    dir: folder,
    save: '',
    appendonly: persist ? 'yes' : 'no',
    // What a killed process has written is in the system's cache; only a power cut would lose it.
    appendfsync: 'no',
    ...(tls ? tlsSettings(port) : { port }),
    ...(password === undefined ? {} : { requirepass: password, masterauth: password }),
    ...settings,
  });
  const spec: Spec = {
    url: `${tls ? 'rediss' : 'redis'}://${password === undefined ? '' : `:${encodeURIComponent(password)}@`}127.0.0.1:${port}`,
    port,
    folder,
    command: { program, args, cwd: folder },
    isReady: () => answersPing(port, ca),
  };
  return new RedisServer(spec, ca);
}

/** Settings as arguments. */
export function flags(settings: Readonly<Record<string, string | number>>): (string | number)[] {
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
}

async function answersPing(port: number, ca?: string): Promise<boolean> {
  // To be asked for a password is an answer; to be told that it still loads its data is not.
  const answer = await ask({ port, ca, text: 'PING\r\n', until: /\r\n/ });
  return /^(\+PONG|-NOAUTH)/.test(answer);
}

function tlsSettings(port: number): Record<string, string | number> {
  return {
    port: 0,
    'tls-port': port,
    'tls-cert-file': 'cert.pem',
    'tls-key-file': 'key.pem',
    'tls-ca-cert-file': 'cert.pem',
    'tls-auth-clients': 'no',
  };
}
