import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { spawnMortal } from '../../support/servers/process.js';
import { until } from '../../support/until.js';
import type { Tally } from './tally.js';
import type { WorkerSpec } from './worker.js';

const program = fileURLToPath(new URL('worker.ts', import.meta.url));
const root = fileURLToPath(new URL('../../..', import.meta.url));

/** Workers in processes of their own, which tell what they do. */
export class Crew {
  readonly #workers = new Set<Hired>();

  /** Starts a worker, and resolves when it serves its queue. */
  async hire(spec: Omit<WorkerSpec, 'queue'>, tally: Tally): Promise<Hired> {
    const args = ['--import', 'tsx', program, JSON.stringify({ ...spec, queue: tally.queue })];
    const child = await spawnMortal({ program: process.execPath, args, cwd: root }, 'ignore');
    const hired = new Hired(child, tally);
    this.#workers.add(hired);
    await until(() => hired.isReady || hired.hasEnded, 60_000);
    if (hired.hasEnded) throw new Error(`A worker ended before it was ready:\n${hired.errors}`);
    return hired;
  }

  /** Ends all that are left. */
  async dismiss(): Promise<void> {
    await Promise.all([...this.#workers].map((hired) => hired.kill()));
    this.#workers.clear();
  }
}

export class Hired {
  isReady = false;
  hasEnded = false;
  errors = '';
  /** Tasks whose body runs, as far as it told. */
  readonly running = new Set<number>();
  readonly #child: ChildProcess;
  readonly #tally: Tally;
  readonly #exit: Promise<unknown>;

  constructor(child: ChildProcess, tally: Tally) {
    this.#child = child;
    this.#tally = tally;
    this.#exit = once(child, 'exit').then(() => {
      this.hasEnded = true;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.errors = (this.errors + text).slice(-10_000);
    });
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => this.#hear(line));
  }

  /** As the kernel does when memory runs out. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exit;
  }

  freeze(): void {
    this.#child.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child.kill('SIGCONT');
  }

  /** Asks it to stop, and resolves when it has. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.#exit;
  }

  #hear(line: string): void {
    const [what, text] = line.split(' ');
    const index = Number(text);
    if (what === 'ready') this.isReady = true;
    if (what === 'start') {
      this.running.add(index);
      this.#tally.start(index);
    }
    if (what === 'end') {
      this.running.delete(index);
      this.#tally.end(index);
    }
  }
}
