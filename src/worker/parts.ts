import type { Consumer } from '../brokers/broker.js';
import type { Crowd } from '../crowd.js';
import type { Limit } from '../locks/limit.js';
import type { Locks } from '../locks/locks.js';
import type { App } from '../tasks/app.js';
import type { ActiveRun } from './active-run.js';
import { Admission } from './admission.js';
import { Conclusion } from './conclusion.js';
import { Doormen } from './doormen.js';
import type { Journal } from './journal.js';
import { Places } from './places.js';
import { Runner } from './run.js';
import type { WorkerSettings } from './settings.js';
import { Slots } from './slots.js';
import { Spares } from './spares.js';

/** What a worker is made of, from when it has a consumer. */
export interface WorkerParts {
  readonly consumer: Consumer;
  readonly admission: Admission;
  readonly doormen: Doormen;
  readonly slots: Slots;
  readonly places: Places;
  /** The queues have nothing for a slot that is free. */
  readonly onIdle: () => void;
}

/** What the parts have from their worker. */
interface PartsHost {
  readonly app: App;
  readonly settings: WorkerSettings;
  readonly locks: Locks;
  readonly journal: Journal;
  readonly consumer: Consumer;
  /** Bodies that run now. */
  readonly active: Crowd<ActiveRun>;
  /** Aborts when the worker stops. */
  readonly leaving: AbortSignal;
  readonly isRevoked: (id: string) => boolean;
}

/** Doormen start what they let in in the slots, which tell the doormen when they are free: so both are made here. */
export function assemble(host: PartsHost): WorkerParts {
  const { app, settings, locks, journal, consumer, active, leaving, isRevoked } = host;
  const { concurrency, lease, abortGrace } = settings;
  const places = new Places(app.clock, leaving);
  const doormen: Doormen = new Doormen(
    {
      locks,
      journal,
      consumer,
      places,
      leaving,
      start: (delivery, lease) => slots.start(delivery, lease),
      during: (work) => slots.during(work),
    },
    limitsByName(app),
  );
  const spares = new Spares({ locks, consumer, doormen, leaving });
  const admission = new Admission({ locks, concurrency, lease, stopping: leaving, doormen, spares });
  const conclusion = new Conclusion(app.clock, journal, app.maxMessageBytes);
  const runner = new Runner({
    app,
    admission,
    doormen,
    spares,
    journal,
    conclusion,
    abortGrace,
    stopping: leaving,
    active,
    isRevoked,
  });
  const slots = new Slots({ runner, doormen, spares, consumer, journal, clock: app.clock });
  const onIdle = () => {
    spares.giveBack();
    doormen.slotFree();
  };
  return { consumer, admission, doormen, slots, places, onIdle };
}

/** The limits of the app's tasks that have a fixed name: what this worker takes those resources to be. */
function limitsByName(app: App): Map<string, Limit> {
  const named = new Map<string, Limit>();
  for (const { limits } of app.tasks.values()) {
    for (const limit of limits) {
      if (typeof limit.key === 'string' && limit.kind === 'permits') named.set(limit.key, limit);
    }
  }
  return named;
}
