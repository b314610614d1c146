import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { until } from '../until.js';
import { locate, programs } from './programs.js';

/** What to start, and how. */
export interface Command {
  readonly program: string;
  readonly args: readonly (string | number)[];
  readonly env?: Readonly<Record<string, string>>;
  /** The folder to start it in. Default: the one we are in. */
  readonly cwd?: string;
}

/** How much of what a process prints is kept. */
const outputBytes = 64 * 1024;

const running = new Set<Launched>();

/**
 * A process of ours, with all that it starts in a group of their own.
 *
 * It dies with the process that launched it: by `setpriv --pdeathsig`, which the kernel keeps even when that one is
 * killed with -9, and elsewhere than on Linux as it exits. A worker of vitest whose main process was killed would go on,
 * so losing that ends it too.
 */
export class Launched implements AsyncDisposable {
  readonly pid: number;
  /** Resolves, with how, when it has ended and what it printed is here. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  #running = true;
  #output = '';

  constructor(child: ChildProcess) {
    this.#child = child;
    this.pid = child.pid!;
    this.ended = this.#ending();
    running.add(this);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-outputBytes);
      });
    }
    // A script that forgets to end it can end all the same, and takes it along.
    for (const pipe of child.stdio) (pipe as Socket | null)?.unref();
    child.unref();
  }

  get running(): boolean {
    return this.#running;
  }

  /** The end of what it has printed so far. */
  output(): string {
    return this.#output;
  }

  /** Sends a signal to it and all that it started. */
  signal(signal: NodeJS.Signals): void {
    if (!this.#running) return;
    try {
      process.kill(-this.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  /** Ends it, also when it is frozen; with -9 when it takes longer than 10 s. */
  async end(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (!this.#running) return;
    // Unreferenced as it is, it would not keep a script alive until it has ended.
    this.#child.ref();
    this.signal(signal);
    this.signal('SIGCONT');
    const patience = new AbortController();
    void setTimeout(10_000, undefined, patience).then(
      () => this.signal('SIGKILL'),
      () => {},
    );
    await this.ended;
    patience.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }

  /** Stops it with SIGSTOP, and resolves when it has stopped: the signal alone takes effect a little later. */
  async freeze(): Promise<void> {
    if (!this.#running) throw new Error('Nothing to freeze: the process has ended');
    this.signal('SIGSTOP');
    if (process.platform === 'linux') await until(async () => (await stateOf(this.pid)) === 'T');
  }

  thaw(): void {
    this.signal('SIGCONT');
  }

  /** Its memory in bytes: what is resident. Linux only. */
  async memory(): Promise<number> {
    const status = await readFile(`/proc/${this.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
  }

  async #ending(): Promise<string> {
    const closed = once(this.#child, 'close');
    const [code, signal] = (await once(this.#child, 'exit')) as [number | null, NodeJS.Signals | null];
    this.#running = false;
    running.delete(this);
    // A grandchild that lives on would keep its output open.
    await Promise.race([closed, setTimeout(200, undefined, { ref: false })]);
    return signal ?? `exit code ${code}`;
  }
}

export async function launch(command: Command): Promise<Launched> {
  return new Launched(await spawnMortal(command, 'ignore'));
}

/** Spawns what dies with us. Throws when it cannot be executed. */
export async function spawnMortal(command: Command, stdin: 'ignore' | 'pipe'): Promise<ChildProcess> {
  endWithUs();
  const child = spawn(...mortal(command.program, command.args.map(String)), {
    cwd: command.cwd,
    env: { ...process.env, ...command.env },
    stdio: [stdin, 'pipe', 'pipe'],
    detached: true,
  });
  await once(child, 'spawn');
  return child;
}

/** It executes the program in its own place, so the process id is the program's. */
function mortal(program: string, args: readonly string[]): [string, string[]] {
  if (process.platform !== 'linux') return [program, [...args]];
  return [locate(programs.setpriv), ['--pdeathsig', 'KILL', '--', program, ...args]];
}

let listening = false;

function endWithUs(): void {
  if (listening) return;
  listening = true;
  process.once('exit', () => {
    for (const launched of running) launched.signal('SIGKILL');
  });
  if (process.connected) process.once('disconnect', () => process.exit(1));
}

/** The third field of `/proc/PID/stat`; the second may contain anything, and ends with the last parenthesis. */
async function stateOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2)[0];
}
