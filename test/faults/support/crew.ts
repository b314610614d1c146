import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { builtPackage } from '../../cli/build.js';
import { spawnMortal } from '../../support/servers/process.js';
import { until } from '../../support/until.js';
import type { Run, Tally } from './tally.js';

const program = fileURLToPath(new URL('worker.js', import.meta.url));
const root = fileURLToPath(new URL('../../..', import.meta.url));

/** Once for all. */
let built: Promise<string> | undefined;

/** What a worker process is told. */
export interface WorkerSpec {
  readonly broker: string;
  /** Default: the broker's own. */
  readonly coordinator?: string | undefined;
  readonly queue: string;
  /** How long a body takes, in milliseconds. */
  readonly takes: number;
  readonly concurrency: number;
  readonly lease: number;
  /** How long bodies may go on when it stops, in milliseconds. Default 25 s. */
  readonly drain?: number;
  /** Behind a resource of this capacity, which is called as the queue is. */
  readonly capacity?: number | undefined;
}

/** Workers in processes of their own, which tell what they do. */
export class Crew {
  readonly #workers = new Set<Hired>();

  /** Starts a worker, and resolves when it serves its queue. */
  async hire(spec: Omit<WorkerSpec, 'queue'>, tally: Tally): Promise<Hired> {
    built ??= builtPackage();
    const lockkeeper = pathToFileURL(join(await built, 'dist/index.js')).href;
    const args = [program, lockkeeper, JSON.stringify({ ...spec, queue: tally.queue })];
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
  /**
   * Bodies that run, as far as it told: when it was killed, those that ran then. Of one task there may be two at a time,
   * where a killed worker has left two copies of its message.
   */
  readonly running = new Set<Run>();
  /** Bodies that it started. */
  starts = 0;
  readonly #child: ChildProcess;
  readonly #tally: Tally;
  readonly #exit: Promise<unknown>;

  constructor(child: ChildProcess, tally: Tally) {
    this.#child = child;
    this.#tally = tally;
    this.#exit = once(child, 'close').then(() => {
      this.hasEnded = true;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.errors = (this.errors + text).slice(-10_000);
    });
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => this.#hear(line));
  }

  /** What it has in memory, in bytes, as the kernel counts. */
  async memory(): Promise<number> {
    const status = await readFile(`/proc/${this.#child.pid}/status`, 'utf8');
    return 1_024 * Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]);
  }

  /** As the kernel does when memory runs out. Its bodies ran until then. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exit;
    const now = Number(process.hrtime.bigint()) / 1e6;
    for (const run of this.running) run.until = Math.min(run.until, now);
  }

  freeze(): void {
    this.#child.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child.kill('SIGCONT');
  }

  /** Asks it to stop, and resolves with its exit code when it has. */
  async stop(): Promise<number | null> {
    this.#child.kill('SIGTERM');
    await this.#exit;
    return this.#child.exitCode;
  }

  #hear(line: string): void {
    const [what, text, at, attempt, deferrals, late] = line.split(' ');
    const index = Number(text);
    if (what === 'ready') this.isReady = true;
    else if (what === 'deferred') this.#tally.deferrals++;
    else if (what === 'void') this.#tally.voids++;
    else if (what === 'start') {
      const run = this.#tally.start(index, {
        from: Number(at),
        attempt: Number(attempt),
        deferrals: Number(deferrals),
        late: late ? Number(late) : undefined,
      });
      this.running.add(run);
      this.starts++;
    } else if (what === 'end' || what === 'break') {
      for (const run of this.running) {
        if (run.index !== index) continue;
        run.until = Number(at);
        this.running.delete(run);
        break;
      }
      if (what === 'end') this.#tally.end(index);
    }
  }
}
