import type { LockEvents } from '../locks/events.js';

/** What every event of a task tells. */
export interface TaskEvent {
  /** The message's id. */
  id: string;
  task: string;
  queue: string;
}

/** What happens to tasks, in workers of this process. All times are in milliseconds. */
export interface TaskEvents {
  /** A run begins: its permits are held. */
  'task.started': TaskEvent &
    Lateness & {
      attempt: number;
      deferrals: number;
      /** Under a permit that a run before it had. */
      handedOn: boolean;
      /** Since it was first put off; 0 when it was not. */
      waited: number;
      /** That its limits name. */
      resources: readonly string[];
    };
  'task.done': TaskEvent & { took: number };
  /** For good: nothing is tried again. */
  'task.failed': TaskEvent & { error: unknown };
  /** An attempt failed, and another follows `after` this time. */
  'task.retried': TaskEvent & { error: unknown; attempt: number; after: number };
  /** Put back because a resource was busy, its start is booked, or its coordinator does not answer. Not a failure. */
  'task.deferred': TaskEvent &
    Lateness & {
      resource: string;
      reason: DeferralReason;
      after?: number;
      deferrals: number;
    };
  'task.skipped': TaskEvent & { resource: string };
  'task.expired': TaskEvent;
  'task.revoked': TaskEvent;
  /** Set aside for an operator. */
  'task.aside': TaskEvent & { reason: string };
  /** A run ended with its permit or with a shutdown, and its message was put back. */
  'task.lost': TaskEvent & { cause: 'permit' | 'shutdown' };
  /** It has been put off for 10 minutes, and there is no `maxWait`. Told once a message. */
  'task.waiting': TaskEvent & { resource: string; waited: number };
  /** What the run came to did not count: its worker had been given up for dead, and the message was delivered again. */
  'task.void': TaskEvent;
  /** A result, or a state, could not be kept. */
  'result.failed': TaskEvent & { error: unknown };
  /** The worker met an error that is not a task's: in a broker, mostly. It goes on. */
  'worker.error': { error: unknown };
}

/** Of a message that was delayed. */
export interface Lateness {
  /** How long after the end of its delay it came to this, by the clocks of the machines. */
  late?: number;
}

export type DeferralReason = 'busy' | 'booked' | 'unavailable' | 'own-permit' | 'asked';

export type AppEvents = LockEvents & TaskEvents;
