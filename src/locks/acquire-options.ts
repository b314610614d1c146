import { checkObject, checkText } from '../check.js';
import type { Duration } from '../duration.js';
import { permitLimit } from './limit.js';
import type { Resources } from './resources.js';
import { checkCall, type Terms } from './terms.js';

export interface AcquireOptions {
  /** Permits there are, where `resources` does not say. Default 1. */
  capacity?: number;
  /** Permits to take. Default 1. */
  weight?: number;
  /** How long to wait in the fair line. Default 30 s; inside a run of a task 0, unless given. */
  waitTimeout?: Duration;
  /** How soon it comes free when this process dies. Default 15 s. */
  lease?: Duration;
  /** How long it may be held; `false` for as long as it likes. Default 1 h. */
  maxHold?: Duration | false;
  /** Gives up waiting. */
  signal?: AbortSignal;
}

const fields = ['capacity', 'weight', 'waitTimeout', 'lease', 'maxHold', 'signal'];

const plain = permitLimit('any', undefined);

/** What a call asks for that names its resource and its options by hand. */
export function acquireTerms(resources: Resources, resource: string, options: AcquireOptions): Terms {
  checkName(resource);
  checkObject(options, 'options', fields);
  const { capacity, weight, lease, maxHold } = options;
  const given = capacity ?? weight ?? lease ?? maxHold;
  const limit = given === undefined ? plain : permitLimit(resource, capacity, { weight, lease, maxHold });
  const share = { key: resource, weight: weight ?? 1 };
  return checkCall(resources, limit, share);
}

export function checkName(resource: unknown): string {
  return checkText(resource, 'resource');
}
