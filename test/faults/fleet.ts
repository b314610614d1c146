import { type Peer, startScript } from '../support/peer.js';
import type { TcpProxy } from '../support/proxy.js';
import { until } from '../support/until.js';
import type { FleetWorkerSpec } from './fleet-worker.js';
import { Referee, type Stay } from './referee.js';
import { throughProxies } from './side.js';

type Told =
  | {
      readonly kind: 'in';
      readonly id: number;
      readonly resource: string;
      readonly weight: number;
      readonly token: string;
      readonly asked: number;
      readonly from: number;
    }
  | { readonly kind: 'out'; readonly id: number; readonly until: number }
  | { readonly kind: 'error'; readonly name: string }
  | { readonly kind: 'end' };

export interface FleetOptions extends Omit<FleetWorkerSpec, 'ahead'> {
  readonly workers: number;
  /** For each worker, how many milliseconds its wall clock is ahead of the machine's. */
  readonly ahead?: readonly number[];
}

interface Surroundings {
  readonly referee: Referee;
  readonly errors: Map<string, number>;
  /** Milliseconds. */
  readonly lease: number;
}

/** A process of the fleet, which reaches each server through a proxy of its own. */
export class Member {
  readonly peer: Peer;
  readonly proxies: readonly TcpProxy[];
  readonly #referee: Referee;
  readonly #errors: Map<string, number>;
  readonly #inside = new Map<number, Stay>();
  readonly #lease: number;
  readonly #listening: Promise<void>;
  acquisitions = 0;
  #ended = false;

  constructor(peer: Peer, proxies: readonly TcpProxy[], { referee, errors, lease }: Surroundings) {
    this.peer = peer;
    this.proxies = proxies;
    this.#referee = referee;
    this.#errors = errors;
    this.#lease = lease;
    this.#listening = this.#listen();
  }

  /** To the end of what it told, also when it has been killed. */
  async #listen(): Promise<void> {
    while (!this.#ended) {
      try {
        this.#hear(JSON.parse(await this.peer.next(60_000)) as Told);
      } catch {
        return;
      }
    }
  }

  #hear(told: Told): void {
    if (told.kind === 'in') {
      const { kind: _, id, token, ...stay } = told;
      const inside = { ...stay, token: BigInt(token), until: stay.from };
      this.#inside.set(id, inside);
      this.#referee.enter(inside);
      this.acquisitions++;
    } else if (told.kind === 'out') {
      this.#inside.get(told.id)!.until = told.until;
      this.#inside.delete(told.id);
    } else if (told.kind === 'error') {
      this.#errors.set(told.name, (this.#errors.get(told.name) ?? 0) + 1);
    } else this.#ended = true;
  }

  /** What it was still inside of, by all that it had told, it held until then; or as long as its lease is sure to have lasted. */
  async kill(): Promise<void> {
    const at = Number(process.hrtime.bigint()) / 1e6;
    await this.peer.end();
    await this.#listening;
    for (const stay of this.#inside.values())
      stay.until = Math.max(stay.until, Math.min(at, stay.asked + this.#lease));
    await this.stop();
  }

  /** Lets it come to its end, by itself. */
  async end(): Promise<void> {
    this.peer.say('end');
    await until(() => this.#ended && !this.peer.running, 30_000);
    await this.stop();
  }

  async stop(): Promise<void> {
    await this.peer.end();
    for (const proxy of this.proxies) proxy.stop();
  }
}

/** Processes that contend for the same resources, and a referee that none of them can fool. */
export class Fleet {
  readonly members: Member[] = [];
  readonly referee: Referee;
  /** What members were told instead of being let in, by the name of the error. */
  readonly errors = new Map<string, number>();
  readonly #options: FleetOptions;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.referee = new Referee(options.capacities);
  }

  async start(): Promise<this> {
    const { workers, ahead = [] } = this.#options;
    await Promise.all(Array.from({ length: workers }, (_, i) => this.join(ahead[i])));
    await this.goesOn();
    return this;
  }

  get acquisitions(): number {
    return this.referee.acquisitions;
  }

  get violations(): string[] {
    return this.referee.violations;
  }

  async join(ahead = 0): Promise<void> {
    const { workers: _, ahead: __, ...wanted } = this.#options;
    const through = await throughProxies(wanted.url);
    const spec: FleetWorkerSpec = { ...wanted, url: through.url, ahead };
    const peer = await startScript(new URL('fleet-worker.ts', import.meta.url), JSON.stringify(spec));
    this.members.push(
      new Member(peer, through.proxies, { referee: this.referee, errors: this.errors, lease: wanted.lease }),
    );
  }

  /** One is killed, and another comes in its place. */
  async replace(member: Member): Promise<void> {
    this.members.splice(this.members.indexOf(member), 1);
    await member.kill();
    await this.join();
  }

  /** Resolves when every member has been let in so many times more. */
  async goesOn(times = 3, timeoutMs = 30_000): Promise<void> {
    const before = this.members.map(({ acquisitions }) => acquisitions);
    const all = () => this.members.every(({ acquisitions }, i) => acquisitions >= (before[i] ?? 0) + times);
    await until(all, timeoutMs);
  }

  async end(): Promise<void> {
    await Promise.all(this.members.map((member) => member.end()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop()));
  }
}
