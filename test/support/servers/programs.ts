import { accessSync, constants } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';

/** A program, or a library as a file, that the tests need, and how to come by it. */
export interface Requirement {
  /** Its name, looked up in `PATH` and where Debian keeps what is thought to be for root only; or its path. */
  readonly program: string;
  readonly debianPackage: string;
  /** What names a server of one's own instead, for tests that only use it. */
  readonly variable?: string;
}

/** Debian's names and places. */
export const programs = {
  redis: { program: 'redis-server', debianPackage: 'redis-server', variable: 'LOCKKEEPER_TEST_REDIS' },
  etcd: { program: 'etcd', debianPackage: 'etcd-server', variable: 'LOCKKEEPER_TEST_ETCD' },
  etcdctl: { program: 'etcdctl', debianPackage: 'etcd-client' },
  java: { program: 'java', debianPackage: 'default-jdk-headless', variable: 'LOCKKEEPER_TEST_ZOOKEEPER' },
  javac: { program: 'javac', debianPackage: 'default-jdk-headless' },
  zookeeper: {
    program: '/usr/share/java/zookeeper.jar',
    debianPackage: 'libzookeeper-java',
    variable: 'LOCKKEEPER_TEST_ZOOKEEPER',
  },
  slf4j: { program: '/usr/share/java/slf4j-simple.jar', debianPackage: 'libslf4j-java' },
  curator: { program: '/usr/share/java/curator-recipes.jar', debianPackage: 'libcurator-recipes-java' },
  // The one in /usr/sbin is a wrapper that switches to a user of its own.
  rabbitmq: {
    program: '/usr/lib/rabbitmq/bin/rabbitmq-server',
    debianPackage: 'rabbitmq-server',
    variable: 'LOCKKEEPER_TEST_RABBITMQ',
  },
  rabbitmqctl: { program: '/usr/lib/rabbitmq/bin/rabbitmqctl', debianPackage: 'rabbitmq-server' },
  epmd: { program: 'epmd', debianPackage: 'erlang-base', variable: 'LOCKKEEPER_TEST_RABBITMQ' },
  // Another that comes first in PATH would not know Debian's modules.
  python: { program: '/usr/bin/python3', debianPackage: 'python3' },
  openssl: { program: 'openssl', debianPackage: 'openssl' },
  setpriv: { program: 'setpriv', debianPackage: 'util-linux' },
} as const satisfies Record<string, Requirement>;

/** What the Python peers import. */
export const pythonModules = [
  { module: 'redis', debianPackage: 'python3-redis' },
  { module: 'kazoo', debianPackage: 'python3-kazoo' },
  { module: 'celery', debianPackage: 'python3-celery' },
] as const;

/** Where it is. Throws, saying what to install, when it is nowhere. */
export function locate(requirement: Requirement): string {
  const path = find(requirement.program);
  if (path === undefined) throw new Error(missing(requirement));
  return path;
}

/** Where it is, or undefined. */
export function find(program: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'].filter(Boolean);
  const paths = isAbsolute(program) ? [program] : folders.map((folder) => join(folder, program));
  return paths.find(isThere);
}

function isThere(path: string): boolean {
  try {
    accessSync(path, path.endsWith('.jar') ? constants.R_OK : constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function missing({ program, debianPackage, variable }: Requirement): string {
  const own = variable ? `, or set ${variable} to the URL of a server for those tests that only use one` : '';
  return `The tests need ${program}. Install it with "npm run servers" or "apt-get install ${debianPackage}"${own}.`;
}
