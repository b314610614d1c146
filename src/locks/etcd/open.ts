import { readFile } from 'node:fs/promises';
import type { IOptions } from 'etcd3';
import { ConfigError } from '../../errors.js';
import type { EtcdClient } from './client.js';
import type { EtcdTarget } from './url.js';

/** Opens the client of one etcd. */
export interface EtcdSource {
  /** For messages: without any password. */
  readonly name: string;
  open(): Promise<EtcdClient>;
  /** Ends what `open` gave, if it is ours to end. */
  close(client: EtcdClient): void;
}

/** The source a URL names; nothing is loaded or connected yet. */
export function etcdFromTarget(target: EtcdTarget): EtcdSource {
  return {
    name: target.hosts.join(','),
    open: () => connect(target),
    close: (client) => (client as EtcdClient & { close(): void }).close(),
  };
}

/** A client that the user opened, and will close. */
export function etcdFromClient(client: EtcdClient): EtcdSource {
  return { name: 'the hosts of the client', open: async () => client, close: () => {} };
}

/**
 * How etcd3 is made to fail in time: no call is repeated but by us, and a member that failed twice is passed over for half
 * a second. By itself etcd3 leaves every member alone for five seconds after three failures, longer than a lease may be.
 * With one member there is nobody else to ask, so nothing is passed over.
 */
async function connect(target: EtcdTarget): Promise<EtcdClient> {
  const [{ Etcd3, isRecoverableError }, { circuitBreaker, ConsecutiveBreaker, handleWhen, noop }] =
    await load();
  const passOver = () =>
    circuitBreaker(handleWhen(isRecoverableError), {
      halfOpenAfter: 500,
      breaker: new ConsecutiveBreaker(2),
    });
  const { hosts, tls, username, password } = target;
  const credentials = await readCredentials(target);
  return new Etcd3({
    hosts: hosts.map((host) => `${tls ? 'https' : 'http'}://${host}`),
    ...(credentials && { credentials }),
    ...(username !== undefined &&
      password !== undefined && {
        auth: { username, password, callOptions: () => ({ deadline: Date.now() + signInMs }) },
      }),
    faultHandling: { host: hosts.length > 1 ? passOver : () => noop, global: noop },
    grpcOptions: {
      'grpc.initial_reconnect_backoff_ms': 50,
      'grpc.max_reconnect_backoff_ms': 500,
      // A watch on a connection that died in silence is found out so. Servers forbid more than one in 5 s.
      'grpc.keepalive_time_ms': 10_000,
      'grpc.keepalive_timeout_ms': 3_000,
    },
  });
}

/** The deadline for exchanging a password for a token, in milliseconds. */
const signInMs = 2_000;

async function readCredentials({ cacert, cert, key }: EtcdTarget): Promise<IOptions['credentials']> {
  if (cacert === undefined && cert === undefined) return undefined;
  const [rootCertificate, certChain, privateKey] = await Promise.all([cacert, cert, key].map(read));
  // Without one of its own, gRPC trusts what Node trusts; the type does not know that.
  return { rootCertificate, certChain, privateKey } as IOptions['credentials'];
}

async function read(path: string | undefined): Promise<Buffer | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readFile(path);
  } catch (error) {
    throw new ConfigError(`Cannot read "${path}", which the URL of etcd names`, { cause: error });
  }
}

async function load() {
  try {
    return await Promise.all([import('etcd3'), import('cockatiel')]);
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new ConfigError('etcd needs the packages `etcd3` and `cockatiel`: npm install etcd3 cockatiel', {
      cause: error,
    });
  }
}
