import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { until } from '../until.js';
import { ask } from './ask.js';
import { temporaryFolder } from './folders.js';
import { freePorts } from './ports.js';
import { launch } from './process.js';
import { locate, programs } from './programs.js';
import { SingleServer, type Spec, startTimeoutMs } from './server.js';

export interface RabbitMqOptions {
  /** Further settings by their names in rabbitmq.conf. */
  readonly settings?: Readonly<Record<string, string | number>>;
}

export class RabbitMqServer extends SingleServer {
  readonly #env: Readonly<Record<string, string>>;

  constructor(spec: Spec, env: Readonly<Record<string, string>>) {
    super(spec);
    this.#env = env;
  }

  /** Runs `rabbitmqctl` on it and returns what that prints. It takes a second or two. */
  async ctl(...args: string[]): Promise<string> {
    const options = { env: { ...process.env, ...this.#env }, timeout: 60_000 };
    const { stdout } = await promisify(execFile)(locate(programs.rabbitmqctl), args, options);
    return stdout;
  }

  /** Closes every channel, as it does when one acknowledges what it was never given. The connections stay. */
  async closeChannels(): Promise<void> {
    const acknowledge = "rabbit_channel:do(Channel, {'basic.ack', 4000000000, false})";
    await this.ctl('-q', 'eval', `[${acknowledge} || Channel <- rabbit_channel:list()], ok.`);
  }
}

/**
 * One RabbitMQ, without plugins, that shares nothing with one of the system: node name, cookie, folders, the port of
 * Erlang's distribution and its port mapper (epmd) are its own. The mapper is started here because RabbitMQ would start
 * one that outlives it.
 */
export async function startRabbitMq({ settings = {} }: RabbitMqOptions = {}): Promise<RabbitMqServer> {
  const program = locate(programs.rabbitmq);
  const mapper = locate(programs.epmd);
  const [port, distribution, mapperPort] = (await freePorts(3)) as [number, number, number];
  const folder = await temporaryFolder('rabbitmq');
  const env = environment(folder, { port, distribution, mapper: mapperPort });
  await writeFiles(folder, { 'listeners.tcp.1': `127.0.0.1:${port}`, ...quiet, ...settings });
  const companion = await launch({
    program: mapper,
    args: ['-port', mapperPort, '-address', '127.0.0.1'],
    cwd: folder,
  });
  await until(() => listsNames(mapperPort), startTimeoutMs);
  const spec: Spec = {
    url: `amqp://guest:guest@127.0.0.1:${port}`,
    port,
    folder,
    command: { program, args: [], env, cwd: folder },
    isReady: () => speaksAmqp(port),
    companion,
  };
  return new RabbitMqServer(spec, env).start();
}

const quiet = {
  'log.console': 'true',
  'log.console.level': 'warning',
  'log.file': 'false',
  // The machine's own limits would stop all publishing on a small or full one.
  'disk_free_limit.absolute': '50MB',
  'vm_memory_high_watermark.absolute': '1GB',
};

async function writeFiles(
  folder: string,
  settings: Readonly<Record<string, string | number>>,
): Promise<void> {
  const conf = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`);
  await mkdir(join(folder, 'home'));
  await writeFile(join(folder, 'home', '.erlang.cookie'), randomUUID(), { mode: 0o400 });
  await writeFile(join(folder, 'enabled_plugins'), '[].\n');
  await writeFile(join(folder, 'rabbitmq.conf'), conf.join(''));
}

interface Ports {
  readonly port: number;
  readonly distribution: number;
  readonly mapper: number;
}

function environment(folder: string, { port, distribution, mapper }: Ports): Record<string, string> {
  const calm = '+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none';
  return {
    HOME: join(folder, 'home'),
    RABBITMQ_NODENAME: `lockkeeper${port}@localhost`,
    RABBITMQ_BASE: folder,
    RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(folder, 'advanced.config'),
    RABBITMQ_CONF_ENV_FILE: join(folder, 'rabbitmq-env.conf'),
    RABBITMQ_GENERATED_CONFIG_DIR: join(folder, 'config'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
    RABBITMQ_FEATURE_FLAGS_FILE: join(folder, 'feature_flags'),
    RABBITMQ_PID_FILE: join(folder, 'pid'),
    RABBITMQ_DIST_PORT: String(distribution),
    ERL_EPMD_PORT: String(mapper),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: `${calm} -kernel inet_dist_use_interface {127,0,0,1}`,
    // Makes the script execute the virtual machine in its own place, so that signals go to that.
    RUNNING_UNDER_SYSTEMD: '1',
  };
}

/** Whether a port mapper answers its question for all names. */
async function listsNames(port: number): Promise<boolean> {
  await ask({ port, text: '\x00\x01n' });
  return true;
}

async function speaksAmqp(port: number): Promise<boolean> {
  const answer = await ask({ port, text: 'AMQP\x00\x00\x09\x01', until: /capabilities/ });
  return answer.includes('capabilities');
}
