import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { until } from '../until.js';
import { locate, programs } from './programs.js';

/** What to start, and how. */
export interface Command {
  readonly program: string;
  readonly args: readonly (string | number)[];
  readonly env?: Readonly<Record<string, string>>;
  /** The folder to start it in. Default: that of the tests. */
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
export class Launched {
  readonly pid: number;
  /** Resolves, with how, when it has ended. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  #running = true;
  #output = '';

  constructor(child: ChildProcess, pid: number) {
    this.#child = child;
    this.pid = pid;
    running.add(this);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-outputBytes);
      });
      (stream as Socket | null)?.unref();
    }
    child.unref();
    this.ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.#running = false;
        running.delete(this);
        resolve(signal ?? `exit code ${code}`);
      });
    });
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
    const impatience = setTimeout(() => this.signal('SIGKILL'), 10_000);
    await this.ended;
    clearTimeout(impatience);
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
}

export async function launch(command: Command): Promise<Launched> {
  endWithUs();
  const child = spawn(...mortal(command.program, command.args.map(String)), {
    cwd: command.cwd,
    env: { ...process.env, ...command.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  if (child.pid === undefined) throw new Error(`${command.program} has no process id`);
  return new Launched(child, child.pid);
}

/** It executes the program in its own place, so the process id is the program's. */
export function mortal(program: string, args: readonly string[]): [string, string[]] {
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
