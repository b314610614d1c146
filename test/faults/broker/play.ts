import { setTimeout as sleep } from 'node:timers/promises';
import type { Broker } from '../../../src/brokers/broker.js';
import { startProxy, type TcpProxy } from '../../support/proxy.js';
import type { SingleServer } from '../../support/servers/index.js';
import { until } from '../../support/until.js';
import { Crew, type Hired, type WorkerSpec } from '../support/crew.js';
import { Tally } from '../support/tally.js';
import { Team } from '../support/team.js';

/** A broker on a server of its own, to which everything happens. */
export interface FaultHarness {
  /** What it has acknowledged outlives a kill and a restart. */
  readonly server: SingleServer;
  connect(url: string): Broker;
  /** What a worker has in hand stays its own while its connection is lost; else it is delivered again at once. */
  readonly keepsHand: boolean;
  /** Who keeps the limits of workers, if not the broker. */
  readonly coordinator?: () => string;
  /** Milliseconds after which a queue that was made outlives a kill of its server. Default 0. */
  readonly takesRoot?: number;
  /** Milliseconds in which it takes 2,000 delayed tasks, on a machine that is busy. Default 1,000. */
  readonly takesDelayed?: number;
  /** Has the server close every channel, where it has any. */
  readonly closeChannels?: () => Promise<void>;
  /** What is in every request of which the answer is to be lost. */
  readonly marker?: string;
}

export interface Amount {
  /** Tasks. */
  readonly count: number;
  /** How often it goes wrong. */
  readonly times: number;
}

/** Slots of each worker. */
export const concurrency = 5;
/** Of the workers, in milliseconds. */
export const lease = 2_000;

/** Tasks with a number each, workers in this process and in others, and what may have run twice. */
export class Play {
  readonly harness: FaultHarness;
  readonly amount: Amount;
  readonly tally = new Tally();
  readonly broker: Broker;
  readonly proxies: TcpProxy[] = [];
  /** As many bodies as may have run again, by what has happened. */
  mayRepeat = 0;
  /** Milliseconds from the first answer of a server that was away to the next start. */
  readonly resumed: number[] = [];
  readonly #team: Team;
  readonly #crew = new Crew();
  readonly #hired = new Set<Hired>();
  /** When the queue was made, at the latest. */
  #since = 0;

  constructor(harness: FaultHarness, amount: Amount) {
    this.harness = harness;
    this.amount = amount;
    this.broker = harness.connect(harness.server.url);
    this.#team = new Team(this.tally, { takes: 10, concurrency, lease });
  }

  get team(): Team['workers'] {
    return this.#team.workers;
  }

  /** Two workers of this process, each behind a proxy or not. */
  async join({ behindProxies }: { behindProxies: boolean }): Promise<void> {
    const { url } = this.harness.server;
    for (let i = 0; i < 2; i++) {
      const proxy = behindProxies ? await startProxy(url) : undefined;
      if (proxy) this.proxies.push(proxy);
      await this.#team.join(proxy ? proxy.url(url) : url);
    }
    this.#since = performance.now();
  }

  /** A worker in a process of its own. */
  async hire(spec: Pick<WorkerSpec, 'takes'> & Partial<WorkerSpec>): Promise<Hired> {
    const { server, coordinator } = this.harness;
    const all = { broker: server.url, coordinator: coordinator?.(), concurrency, lease, ...spec };
    const hired = await this.#crew.hire(all, this.tally);
    this.#hired.add(hired);
    return hired;
  }

  /** Does something as often as is asked for, each time when a share of the tasks was published and some of them run. */
  async often(fault: (turn: number) => Promise<void>): Promise<void> {
    const { count, times } = this.amount;
    for (let turn = 0; turn < times; turn++) {
      const before = this.tally.starts;
      // Whoever publishes while its last attempt to connect has failed is told so at once.
      await until(() => this.broker.depth(this.tally.queue), 30_000);
      await this.tally.publish(this.broker, Math.ceil(count / times));
      await until(() => this.tally.starts > before, 30_000);
      await fault(turn);
    }
  }

  /** Resolves when the queue has been there for long enough to outlive its server. */
  async rooted(): Promise<void> {
    await sleep(Math.max(0, this.#since + (this.harness.takesRoot ?? 0) - performance.now()));
  }

  /** Every worker has lost its connection. */
  interrupted(workers = this.team.length): void {
    if (!this.harness.keepsHand) this.mayRepeat += workers * concurrency;
  }

  /** The server answers again: somebody has to start something soon. */
  async resumes(): Promise<void> {
    const answered = performance.now();
    const before = this.tally.starts;
    await until(() => this.tally.starts > before, 15_000);
    this.resumed.push(performance.now() - answered);
  }

  /** In words. Empty when all is well. */
  async verdict(): Promise<string[]> {
    await this.tally.whole(this.broker, 120_000);
    const wrong: string[] = [];
    const mayHave = () => this.mayRepeat + this.tally.voids;
    // Whoever was given up is the last to hear of it.
    await until(() => this.tally.again <= mayHave(), 5_000).catch(() =>
      wrong.push(`${this.tally.again} bodies ran again, and ${mayHave()} may have`),
    );
    const slowest = Math.max(0, ...this.resumed);
    if (slowest > 5_000) wrong.push(`it took ${Math.round(slowest)} ms to go on`);
    return wrong;
  }

  summary(): string {
    const { tally, mayRepeat, resumed } = this;
    const parts = [
      `${tally.ended.size} tasks ended`,
      `${tally.again} bodies ran again (${mayRepeat} may have)`,
    ];
    if (resumed.length > 0) parts.push(`went on after ${Math.round(Math.max(...resumed))} ms at most`);
    return parts.join(', ');
  }

  async end(): Promise<void> {
    for (const proxy of this.proxies) proxy.resume();
    await this.#crew.dismiss();
    await this.#team.leave();
    for (const proxy of this.proxies) proxy.stop();
    await this.broker.close();
  }
}
