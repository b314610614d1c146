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
    close: (client) => (client as OwnClient).close(),
  };
}

/** A client that the user opened, and will close. */
export function etcdFromClient(client: EtcdClient): EtcdSource {
  return { name: 'the hosts of the client', open: async () => client, close: () => {} };
}

/** A client that is opened here, to be closed here. */
interface OwnClient extends EtcdClient {
  close(): void;
}

type Libraries = Awaited<ReturnType<typeof load>>;

/** What is needed to reach the members, and to be let in. */
interface Access {
  /** `http://host:port` or `https://host:port`. */
  readonly urls: readonly string[];
  /** What was read of the files that the URL names. */
  readonly pem: Pem | undefined;
  readonly user: { readonly name: string; readonly password: string } | undefined;
}

interface Pem {
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
}

/** Transactions go past etcd3, all else by it. */
async function connect(target: EtcdTarget): Promise<OwnClient> {
  const libraries = await load();
  const [, , { Members }] = libraries;
  const access = await accessTo(target);
  const { urls, pem, user } = access;
  const etcd3 = openEtcd3(libraries, access);
  const members = new Members({
    urls,
    credentials: pem ?? {},
    signIn: user && (async () => (await etcd3.auth.authenticate(user, soon())).token),
  });
  return {
    kv: { txn: (request, deadline) => members.transact(request, deadline) },
    leaseClient: etcd3.leaseClient,
    watchClient: etcd3.watchClient as EtcdClient['watchClient'],
    close: () => {
      members.close();
      etcd3.close();
    },
  };
}

/**
 * How etcd3 is made to fail in time: no call is repeated but by us, and a member that failed twice is passed over for half
 * a second. By itself etcd3 leaves every member alone for five seconds after three failures, longer than a lease may be.
 * With one member there is nobody else to ask, so nothing is passed over.
 */
function openEtcd3(
  [{ Etcd3, isRecoverableError }, { circuitBreaker, ConsecutiveBreaker, handleWhen, noop }]: Libraries,
  { urls, pem, user }: Access,
) {
  const passOver = () =>
    circuitBreaker(handleWhen(isRecoverableError), {
      halfOpenAfter: 500,
      breaker: new ConsecutiveBreaker(2),
    });
  const credentials = pem && { rootCertificate: pem.ca, certChain: pem.cert, privateKey: pem.key };
  return new Etcd3({
    hosts: [...urls],
    // Without one of its own, gRPC trusts what Node trusts; the type does not know that.
    ...(credentials && { credentials: credentials as IOptions['credentials'] }),
    ...(user && { auth: { username: user.name, password: user.password, callOptions: soon } }),
    faultHandling: { host: urls.length > 1 ? passOver : () => noop, global: noop },
    grpcOptions: {
      'grpc.initial_reconnect_backoff_ms': 50,
      'grpc.max_reconnect_backoff_ms': 500,
      // A watch on a connection that died in silence is found out so. Servers forbid more than one in 5 s.
      'grpc.keepalive_time_ms': 10_000,
      'grpc.keepalive_timeout_ms': 3_000,
    },
  });
}

/** When a password has to be exchanged for a token: a second from now, for another member may be quicker. */
const soon = () => ({ deadline: Date.now() + 1_000 });

async function accessTo({ hosts, tls, username, password, ...files }: EtcdTarget): Promise<Access> {
  const isNamed = files.cacert !== undefined || files.cert !== undefined;
  const [ca, cert, key] = await Promise.all([files.cacert, files.cert, files.key].map(read));
  return {
    urls: hosts.map((host) => `${tls ? 'https' : 'http'}://${host}`),
    pem: isNamed ? { ca, cert, key } : undefined,
    user: username !== undefined && password !== undefined ? { name: username, password } : undefined,
  };
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
    return await Promise.all([import('etcd3'), import('cockatiel'), import('./grpc/members.js')]);
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new ConfigError('etcd needs the packages `etcd3` and `cockatiel`: npm install etcd3 cockatiel', {
      cause: error,
    });
  }
}
