import type { Attributes, MeterSlice, Observations } from '../../src/worker/meter/instruments.js';

export interface Observed {
  readonly name: string;
  readonly value: number;
  readonly attributes: Attributes;
}

/** A meter that keeps all that it is told. Names are without `lockkeeper.`, values rounded to the millisecond. */
export class FakeMeter implements MeterSlice {
  readonly units: Record<string, string> = {};
  readonly #told: Observed[] = [];
  readonly #observers = new Set<(to: Observations) => Promise<void> | void>();

  createCounter(name: string, { unit }: { unit: string }) {
    this.units[name] = unit;
    return { add: (value: number, attributes: Attributes) => this.#tell(name, value, attributes) };
  }

  createHistogram(name: string, { unit }: { unit: string }) {
    this.units[name] = unit;
    return { record: (value: number, attributes: Attributes) => this.#tell(name, value, attributes) };
  }

  createObservableGauge(name: string, { unit }: { unit: string }) {
    this.units[name] = unit;
    return { name };
  }

  addBatchObservableCallback(observer: (to: Observations) => Promise<void> | void): void {
    this.#observers.add(observer);
  }

  removeBatchObservableCallback(observer: (to: Observations) => Promise<void> | void): void {
    this.#observers.delete(observer);
  }

  /** As a reader does that is due. */
  async collect(): Promise<Observed[]> {
    const seen: Observed[] = [];
    for (const observer of this.#observers) {
      await observer({
        observe: ({ name }: { name: string }, value, attributes) =>
          seen.push({ name: short(name), value: round(value), attributes }),
      });
    }
    return seen;
  }

  recorded(name: string): [number, Attributes][] {
    return this.#told
      .filter((told) => told.name === name)
      .map(({ value, attributes }) => [value, attributes]);
  }

  /** The sum of a counter under these attributes. */
  total(name: string, attributes: Attributes): number {
    const wanted = JSON.stringify(Object.entries(attributes).sort());
    return this.recorded(name)
      .filter(([, its]) => JSON.stringify(Object.entries(its).sort()) === wanted)
      .reduce((sum, [value]) => sum + value, 0);
  }

  #tell(name: string, value: number, attributes: Attributes): void {
    this.#told.push({ name: short(name), value: round(value), attributes });
  }
}

const short = (name: string): string => name.replace(/^lockkeeper\./, '');
const round = (value: number): number => Math.round(value * 1_000) / 1_000;
