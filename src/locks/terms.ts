import { ConfigError } from '../errors.js';
import type { Share } from '../message.js';
import type { Coordinator } from './coordinator.js';
import type { Limit } from './limit.js';
import type { Rate } from './rate.js';
import { checkFeatures, checkRateFeature, checkWeight, type Resources } from './resources.js';

/** What a claim asks for, of which resource, and from whom: a limit and its resource, taken together. */
export interface Terms {
  readonly limit: Limit;
  readonly resource: string;
  readonly coordinator: Coordinator;
  readonly weight: number;
  readonly capacity: number;
  /** Nobody has given it a capacity. */
  readonly mutex?: boolean;
  readonly lease: number;
  readonly maxHold: number;
  readonly layout?: string;
  /** Present when it is a rate. */
  readonly rate?: Rate;
}

/** Whether one question can be asked for both. */
export function sameTerms(a: Terms, b: Terms): boolean {
  return (
    a.weight === b.weight &&
    a.capacity === b.capacity &&
    a.mutex === b.mutex &&
    a.lease === b.lease &&
    a.layout === b.layout
  );
}

/** Throws `ConfigError` when the limit and the resource do not fit each other. */
export function termsOf(resources: Resources, limit: Limit, share: Share): Terms {
  const resource = resources.resolve(share.key);
  if (limit.kind === 'rate') return rateTerms(limit, share, resource);
  if (resource.kind === 'rate') {
    throw new ConfigError(
      `"${share.key}" is a rate: use \`limited\` for it, not \`locked\`; without a task, \`locks.start\``,
    );
  }
  const declared = limit.capacity ?? resource.capacity;
  const capacity = declared ?? 1;
  const lease = limit.lease ?? resource.lease;
  if (limit.capacity !== undefined || limit.lease !== undefined) {
    checkFeatures(share.key, { coordinator: resource.coordinator, capacity, lease });
  }
  return {
    limit,
    resource: share.key,
    coordinator: resource.coordinator,
    weight: share.weight,
    capacity,
    mutex: declared === undefined,
    lease,
    maxHold: limit.maxHold ?? resource.maxHold,
    layout: resource.layout,
  };
}

function rateTerms(limit: Limit, share: Share, resource: ReturnType<Resources['resolve']>): Terms {
  if (resource.kind === 'permits') {
    throw new ConfigError(
      `"${share.key}" is a capacity: use \`locked\` for it, not \`limited\`; without a task, \`locks.acquire\``,
    );
  }
  const rate = limit.rate ?? resource.rate;
  if (!rate) {
    throw new ConfigError(`"${share.key}" has no rate: give \`limited\` one, or declare it in \`resources\``);
  }
  if (limit.rate) checkRateFeature(share.key, resource.coordinator);
  if (share.weight > rate.burst) {
    throw new ConfigError(
      `A start of cost ${share.weight} can never come under "${share.key}", whose burst is ${rate.burst}: raise the burst`,
    );
  }
  const { coordinator, lease, maxHold, layout } = resource;
  return {
    limit,
    resource: share.key,
    coordinator,
    weight: share.weight,
    capacity: 1,
    lease,
    maxHold,
    layout,
    rate,
  };
}

/** The terms, for the side that makes the call: throws `ConfigError` when they can never be met as they are declared. */
export function checkCall(resources: Resources, limit: Limit, share: Share): Terms {
  const terms = termsOf(resources, limit, share);
  const { coordinator, weight, capacity, rate } = terms;
  if (rate) return terms;
  checkWeight(share.key, coordinator, weight);
  if (weight <= capacity) return terms;
  throw new ConfigError(
    `A weight of ${weight} can never be granted of "${share.key}", whose capacity is ${capacity}: ` +
      'lower the weight or raise the capacity',
  );
}
