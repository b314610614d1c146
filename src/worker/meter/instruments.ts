/** What a measurement is of. */
export type Attributes = Record<string, string>;

interface InstrumentOptions {
  description: string;
  unit: string;
  advice?: { explicitBucketBoundaries: number[] };
}

export interface Counter {
  add(value: number, attributes: Attributes): void;
}

export interface Histogram {
  record(value: number, attributes: Attributes): void;
}

/** A gauge, as it is named when it is observed. */
export type Gauge = object;

export interface Observations {
  // biome-ignore lint/suspicious/noExplicitAny: whatever the meter has made
  observe(gauge: any, value: number, attributes: Attributes): void;
}

type Observer = (observations: Observations) => Promise<void> | void;

/** The part of an OpenTelemetry `Meter` that is needed. */
export interface MeterSlice {
  createCounter(name: string, options: InstrumentOptions): Counter;
  createHistogram(name: string, options: InstrumentOptions): Histogram;
  createObservableGauge(name: string, options: InstrumentOptions): Gauge;
  // biome-ignore lint/suspicious/noExplicitAny: what this meter has made
  addBatchObservableCallback(observer: Observer, gauges: any[]): void;
  // biome-ignore lint/suspicious/noExplicitAny: what this meter has made
  removeBatchObservableCallback(observer: Observer, gauges: any[]): void;
}

/** From what nobody notices to what somebody should have. */
const seconds = [0.001, 0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600];

/** What is measured as it happens. */
export function instruments(meter: MeterSlice) {
  const counter = (name: string, unit: string, description: string) =>
    meter.createCounter(`lockkeeper.${name}`, { unit, description });
  const time = (name: string, description: string) =>
    meter.createHistogram(`lockkeeper.${name}`, {
      unit: 's',
      description,
      advice: { explicitBucketBoundaries: seconds },
    });
  return {
    wait: time('permit.wait', 'From the first refusal of a message, or from a direct call, to its permit'),
    hold: time('permit.hold', 'From the grant of a permit to its release, over all the runs that it served'),
    lost: counter('permit.lost', '{permit}', 'Permits that were lost before they were released'),
    deferrals: counter('task.deferrals', '{deferral}', 'Messages put back because a resource was busy'),
    handOffs: counter('task.handoffs', '{run}', 'Runs under the permit of the run before them'),
    ends: counter('task.ends', '{delivery}', 'Deliveries that did not end in a deferral, by how they ended'),
    duration: time('task.duration', 'Runs that succeeded, from their start to their end'),
    lateness: time('task.lateness', 'From the end of the delay of a message to its start, or its deferral'),
  };
}

/** What is looked up when the meter collects. */
export function gauges(meter: MeterSlice) {
  const gauge = (name: string, unit: string, description: string) =>
    meter.createObservableGauge(`lockkeeper.${name}`, { unit, description });
  return {
    used: gauge('permits.used', '{permit}', 'Permits that are held, over all workers'),
    capacity: gauge('permits.capacity', '{permit}', 'The capacity in force'),
    messages: gauge('queue.messages', '{message}', 'Messages of a queue, by where they are'),
    oldestWait: gauge('wait.oldest', 's', 'Since when the parked message that was published first waits'),
  };
}
