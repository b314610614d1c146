import type { Terms } from '../locks/terms.js';

/** A run is taken to be as long as this, at least, in milliseconds. */
const shortRun = 100;
/** So many resources' longest runs are remembered. */
const runsRemembered = 1_000;

/** The longest runs that this worker has seen under a permit of each resource. */
export class LongestRuns {
  /** Milliseconds. */
  readonly #byResource = new Map<string, number>();

  /** A run under these terms took so long: whoever waits for such a permit must be at least as patient. */
  saw(all: readonly Terms[], ms: number): void {
    if (ms <= shortRun) return;
    for (const { resource, rate } of all) {
      if (!rate && ms > this.of(resource)) this.#remember(resource, ms);
    }
  }

  /** Milliseconds. */
  of(resource: string): number {
    return this.#byResource.get(resource) ?? shortRun;
  }

  #remember(resource: string, ms: number): void {
    this.#byResource.set(resource, ms);
    if (this.#byResource.size <= runsRemembered) return;
    const [first] = this.#byResource.keys();
    this.#byResource.delete(first as string);
  }
}
