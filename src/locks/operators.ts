import { checkObject, checkText, checkWhole } from '../check.js';
import { type Duration, milliseconds } from '../duration.js';
import { ConfigError } from '../errors.js';
import { checkName } from './acquire-options.js';
import { answered } from './answer.js';
import type { CallOptions, Coordinator, ResourceState } from './coordinator.js';
import type { ResourceChange } from './events.js';
import type { LocksSettings } from './locks.js';

/** What an operator gives along with a change. */
export interface ChangeOptions {
  /** Why, for those who hear of it. */
  reason?: string;
}

/**
 * What people do to resources, and see of them. Each is one step of the coordinator, and nothing is repeated: whoever is
 * told that it is not known whether a step took effect looks, and does it again. Every change is told as an event.
 */
export class Operators {
  readonly #settings: LocksSettings;

  constructor(settings: LocksSettings) {
    this.#settings = settings;
  }

  inspect(resource: string): Promise<ResourceState> {
    return this.#call(resource, (coordinator, options) => coordinator.inspect(resource, options));
  }

  async setCapacity(
    resource: string,
    capacity: number | undefined,
    options: ChangeOptions & { expiresIn?: Duration },
  ): Promise<void> {
    checkObject(options, 'options', ['expiresIn', 'reason']);
    const reason = checkReason(options);
    if (capacity !== undefined) checkWhole(capacity, 'capacity');
    this.#mustHaveCapacity(resource);
    const expiresIn =
      options.expiresIn === undefined ? undefined : milliseconds(options.expiresIn, 'expiresIn');
    await this.#call(resource, (coordinator, call) =>
      coordinator.setCapacity(resource, capacity, { ...call, expiresIn }),
    );
    this.#tell(resource, { kind: 'capacity', capacity, expiresIn }, reason);
  }

  async pause(resource: string, duration: Duration, options: ChangeOptions): Promise<void> {
    checkObject(options, 'options', ['reason']);
    const reason = checkReason(options);
    const ms = milliseconds(duration, 'duration');
    await this.#call(resource, (coordinator, call) => coordinator.pause(resource, ms, { ...call, reason }));
    this.#tell(resource, ms === 0 ? { kind: 'resume' } : { kind: 'pause', duration: ms }, reason);
  }

  async evict(resource: string, id: string, options: ChangeOptions): Promise<boolean> {
    checkObject(options, 'options', ['reason']);
    const reason = checkReason(options);
    checkText(id, 'id');
    const evicted = await this.#call(resource, (coordinator, call) =>
      coordinator.evict({ resource, id }, call),
    );
    if (evicted) this.#tell(resource, { kind: 'evict', id }, reason);
    return evicted;
  }

  #mustHaveCapacity(resource: string): void {
    const { resources } = this.#settings;
    if (resources.resolve(checkName(resource)).kind === 'rate')
      throw new ConfigError(`"${resource}" is a rate, which has no capacity: change it in \`resources\``);
    if (resource.endsWith('*') && resources.names.includes(resource))
      throw new ConfigError(`"${resource}" is a pattern: name one of the resources that it matches`);
  }

  #tell(resource: string, change: ResourceChange, reason: string | undefined): void {
    this.#settings.events.emit('resource.changed', { resource, change, reason });
  }

  async #call<T>(
    resource: string,
    call: (coordinator: Coordinator, options: CallOptions) => Promise<T>,
  ): Promise<T> {
    const { callTimeout: timeout, resources, clock } = this.#settings;
    const { coordinator } = resources.resolve(checkName(resource));
    return await answered(clock, coordinator.kind, call(coordinator, { timeout }), timeout);
  }
}

function checkReason({ reason }: ChangeOptions): string | undefined {
  return reason === undefined ? undefined : checkText(reason, 'reason');
}
