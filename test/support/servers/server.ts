import { removeFolder } from './folders.js';
import { type Command, type Launched, launch } from './process.js';

/** A real server, or several that are one service, on 127.0.0.1 and on ports and in a folder of its own. */
export interface Server extends AsyncDisposable {
  /** What a client is given. */
  readonly url: string;
  /** The ports clients use. */
  readonly ports: readonly number[];
  /** Ends it for good, and removes its folder. */
  stop(): Promise<void>;
  /** Ends it with -9, or another signal. Its folder and its ports stay. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Kills it if it runs, and starts it on the same ports with the same folder. Resolves when it answers. */
  restart(): Promise<void>;
  /** Stops it with SIGSTOP: its connections stay open, and nothing is answered. */
  freeze(): Promise<void>;
  /** Ends a freeze. */
  thaw(): Promise<void>;
  /** The end of what it has printed so far. */
  output(): string;
  /** Its resident memory in bytes. */
  memory(): Promise<number>;
}

/** One process that serves. */
export interface Spec {
  readonly url: string;
  readonly port: number;
  readonly folder: string;
  readonly command: Command;
  /** Whether it serves by now. To throw means no. */
  isReady(): Promise<boolean>;
  /** Ends with the server, but goes on when that is killed, restarted or frozen. */
  readonly companion?: Launched;
}

/** How long a server may take to answer. Far more than any takes: the machine may be busy. */
export const startTimeoutMs = 90_000;

export class SingleServer implements Server {
  readonly url: string;
  readonly port: number;
  readonly ports: readonly number[];
  readonly folder: string;
  readonly #spec: Spec;
  #process: Launched | undefined;
  #stopped = false;

  constructor(spec: Spec) {
    this.#spec = spec;
    this.url = spec.url;
    this.port = spec.port;
    this.ports = [spec.port];
    this.folder = spec.folder;
  }

  /** Resolves when the server answers. Stops it and throws, with what it printed, when it does not. */
  async start(): Promise<this> {
    try {
      await this.restart();
      return this;
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  get pid(): number {
    return this.#launched.pid;
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await this.#process?.end();
    await this.#spec.companion?.end();
    await removeFolder(this.folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#process?.end(signal);
  }

  async restart(): Promise<void> {
    if (this.#stopped) throw new Error(`It was stopped, and its data is gone: ${this.url}`);
    await this.kill();
    this.#process = await launch(this.#spec.command);
    await whenReady(this.#spec, this.#process);
  }

  async freeze(): Promise<void> {
    await this.#launched.freeze();
  }

  async thaw(): Promise<void> {
    this.#launched.thaw();
  }

  output(): string {
    return this.#process?.output() ?? '';
  }

  memory(): Promise<number> {
    return this.#launched.memory();
  }

  get #launched(): Launched {
    if (this.#process === undefined) throw new Error(`It was not started: ${this.url}`);
    return this.#process;
  }
}

/** Several servers as one. What is done to it is done to each; `nodes` has them one by one. */
export class Ensemble<S extends SingleServer = SingleServer> implements Server {
  readonly ports: readonly number[];

  constructor(
    readonly url: string,
    readonly nodes: readonly S[],
    /** Those clients are told of, when that is not all of them. */
    entries: readonly S[] = nodes,
  ) {
    this.ports = entries.map(({ port }) => port);
  }

  async stop(): Promise<void> {
    await this.#each((node) => node.stop());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async kill(signal?: NodeJS.Signals): Promise<void> {
    await this.#each((node) => node.kill(signal));
  }

  async restart(): Promise<void> {
    await this.#each((node) => node.restart());
  }

  async freeze(): Promise<void> {
    await this.#each((node) => node.freeze());
  }

  async thaw(): Promise<void> {
    await this.#each((node) => node.thaw());
  }

  output(): string {
    return this.nodes.map((node) => `port ${node.port}:\n${node.output()}`).join('\n');
  }

  async memory(): Promise<number> {
    const each = await Promise.all(this.nodes.map((node) => node.memory()));
    return each.reduce((sum, bytes) => sum + bytes, 0);
  }

  async #each(step: (node: S) => Promise<void>): Promise<void> {
    await Promise.all(this.nodes.map(step));
  }
}

/** Starts them side by side. If one does not come up, the others are stopped too. */
export async function startAll<S extends SingleServer>(servers: readonly S[]): Promise<readonly S[]> {
  const starts = await Promise.allSettled(servers.map((server) => server.start()));
  const failed = starts.find((start) => start.status === 'rejected');
  if (failed === undefined) return servers;
  await Promise.all(servers.map((server) => server.stop()));
  throw failed.reason;
}

/** Waits until the server says it is ready; throws what it printed when it ends instead, or takes too long. */
async function whenReady({ command, isReady }: Spec, launched: Launched): Promise<void> {
  const deadline = performance.now() + startTimeoutMs;
  while (!(await isReady().catch(() => false))) {
    if (!launched.running) {
      throw new Error(
        `${command.program} ended (${await launched.ended}) before it answered:\n${launched.output()}`,
      );
    }
    if (performance.now() > deadline) {
      throw new Error(`${command.program} did not answer within ${startTimeoutMs} ms:\n${launched.output()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
