import { checkObject, checkText, checkWhole } from '../check.js';
import { type Duration, milliseconds } from '../duration.js';
import { ConfigError } from '../errors.js';
import { at, serverOf } from '../servers.js';
import type { Coordinator } from './coordinator.js';
import { coordinatorFrom, type OpenCoordinator } from './open.js';
import { parseRate, type Rate, type RateText } from './rate.js';

/** What is said of a resource, or of every resource that a pattern such as `'tenant:*'` matches. */
export interface ResourceOptions {
  /** Permits there are. Default 1, a mutex. */
  capacity?: number;
  /** Makes it a rate: `'100/m'`. Not together with `capacity`. */
  rate?: RateText;
  /** Starts of a rate that may come at once. Default 1. */
  burst?: number;
  /** Who keeps it. Default: the app's coordinator. */
  coordinator?: string | Coordinator;
  /** How soon the permit of a holder that died comes free. Renewed while it runs. Default 15 s. */
  lease?: Duration;
  /** How long one run may hold a permit; `false` for as long as it likes. Default 1 h. */
  maxHold?: Duration | false;
  /** The layout in the store, where the coordinator knows several. */
  layout?: string;
}

/** A resource, by one name. */
export interface Resource {
  readonly kind: 'permits' | 'rate' | 'undeclared';
  /** Absent where none was given: it is a mutex then, unless the limit says. */
  readonly capacity?: number | undefined;
  readonly rate?: Rate;
  readonly coordinator: Coordinator;
  readonly lease: number;
  readonly maxHold: number;
  readonly layout?: string;
}

const fields = ['capacity', 'rate', 'burst', 'coordinator', 'lease', 'maxHold', 'layout'] as const;

export const defaultLease = 15_000;
export const defaultMaxHold = 3_600_000;

/** All that is declared. An exact name counts first, then the longest pattern; the rest are mutexes. */
export class Resources {
  readonly #exact = new Map<string, Resource>();
  readonly #patterns: { prefix: string; resource: Resource }[] = [];
  readonly #undeclared: Resource;
  readonly #opened: OpenCoordinator[] = [];

  constructor(declared: Readonly<Record<string, ResourceOptions>>, coordinator: Coordinator) {
    this.#undeclared = { kind: 'undeclared', coordinator, lease: defaultLease, maxHold: defaultMaxHold };
    for (const [name, options] of Object.entries(checkObject(declared, 'resources')) as [
      string,
      ResourceOptions,
    ][]) {
      const resource = declare(name, options, (path, own) => this.#coordinator(path, own) ?? coordinator);
      if (name.endsWith('*')) this.#patterns.push({ prefix: name.slice(0, -1), resource });
      else this.#exact.set(name, resource);
    }
    this.#patterns.sort((a, b) => b.prefix.length - a.prefix.length);
  }

  #coordinator(path: string, own: ResourceOptions['coordinator']): Coordinator | undefined {
    if (own === undefined) return undefined;
    const opened = coordinatorFrom(own, `${path}.coordinator`);
    this.#opened.push(opened);
    return opened.coordinator;
  }

  resolve(name: string): Resource {
    const exact = this.#exact.get(name);
    if (exact) return exact;
    for (const { prefix, resource } of this.#patterns) if (name.startsWith(prefix)) return resource;
    return this.#undeclared;
  }

  /** Every coordinator that is named, once. */
  get coordinators(): Set<Coordinator> {
    const all = [
      ...this.#exact.values(),
      ...this.#patterns.map(({ resource }) => resource),
      this.#undeclared,
    ];
    return new Set(all.map(({ coordinator }) => coordinator));
  }

  /** Has done with the coordinators that were opened for single resources. */
  async close(): Promise<void> {
    await Promise.all(this.#opened.splice(0).map((opened) => opened.close()));
  }

  /** The names and patterns as declared, for a banner. */
  get names(): string[] {
    return [...this.#exact.keys(), ...this.#patterns.map(({ prefix }) => `${prefix}*`)];
  }
}

function declare(
  name: string,
  options: ResourceOptions,
  coordinatorOf: (path: string, own: ResourceOptions['coordinator']) => Coordinator,
): Resource {
  const path = `resources[${JSON.stringify(name)}]`;
  checkObject(options, path, fields);
  const star = name.indexOf('*');
  if (star !== -1 && star !== name.length - 1) {
    throw new ConfigError(
      `\`${path}\`: a \`*\` may only stand at the end of a name, where it matches the rest of it`,
    );
  }
  if (options.rate !== undefined && options.capacity !== undefined) {
    throw new ConfigError(
      `\`${path}\` has both a capacity and a rate: make them two resources, and put both on the task`,
    );
  }
  const coordinator = inLayout(path, options.layout, coordinatorOf(path, options.coordinator));
  return options.rate === undefined
    ? declarePermits(path, options, coordinator)
    : declareRate(path, options, coordinator);
}

/** What a coordinator can do depends on the layout. Where there is one only, whatever is declared is that. */
function inLayout(path: string, layout: string | undefined, coordinator: Coordinator): Coordinator {
  if (layout === undefined) return coordinator;
  const name = checkText(layout, `${path}.layout`);
  return coordinator.layout ? at(serverOf(coordinator), coordinator.layout(name)) : coordinator;
}

function declarePermits(path: string, options: ResourceOptions, coordinator: Coordinator): Resource {
  if (options.burst !== undefined) throw new ConfigError(`\`${path}\` has a burst but no rate`);
  const resource: Resource = {
    kind: 'permits',
    capacity: options.capacity === undefined ? undefined : checkWhole(options.capacity, `${path}.capacity`),
    coordinator,
    lease: options.lease === undefined ? defaultLease : milliseconds(options.lease, `${path}.lease`),
    maxHold: holdOf(options.maxHold, `${path}.maxHold`) ?? defaultMaxHold,
    layout: options.layout,
  };
  checkFeatures(path, resource);
  return resource;
}

function declareRate(path: string, options: ResourceOptions, coordinator: Coordinator): Resource {
  for (const field of ['lease', 'maxHold'] as const) {
    if (options[field] !== undefined)
      throw new ConfigError(`\`${path}\` is a rate, which holds nothing: it has no ${field}`);
  }
  const rate = parseRate(options.rate, options.burst, `${path}.rate`);
  checkRateFeature(path, coordinator);
  return {
    kind: 'rate',
    rate,
    coordinator,
    lease: defaultLease,
    maxHold: defaultMaxHold,
    layout: options.layout,
  };
}

/** Milliseconds; `false` is for ever. */
export function holdOf(value: Duration | false | undefined, name: string): number | undefined {
  if (value === undefined) return undefined;
  return value === false ? Number.POSITIVE_INFINITY : milliseconds(value, name);
}

/** Throws when permits as declared are more than the coordinator can keep: never a silent downgrade. */
export function checkFeatures(
  name: string,
  { coordinator, capacity, lease }: Pick<Resource, 'coordinator' | 'capacity' | 'lease'>,
): void {
  const { features, kind } = coordinator;
  if ((capacity ?? 1) > 1 && !features.semaphore) {
    throw new ConfigError(
      `\`${name}\` has a capacity of ${capacity}, and the ${kind} coordinator keeps mutexes only: ${remedy}`,
    );
  }
  if (lease < features.minLease) {
    throw new ConfigError(
      `\`${name}\` has a lease of ${lease} ms, and the ${kind} coordinator needs ${features.minLease} ms or more`,
    );
  }
}

/** The same for a weight. */
export function checkWeight(name: string, coordinator: Coordinator, weight: number): void {
  if (weight === 1 || coordinator.features.weighted) return;
  throw new ConfigError(
    `A weight of ${weight} is asked for of "${name}", and the ${coordinator.kind} coordinator knows none: ${remedy}`,
  );
}

export function checkRateFeature(name: string, coordinator: Coordinator): void {
  if (coordinator.features.rate) return;
  throw new ConfigError(
    `\`${name}\` is a rate, which the ${coordinator.kind} coordinator cannot keep: ${remedy}`,
  );
}

const remedy = 'name another with `coordinator` on that resource';
