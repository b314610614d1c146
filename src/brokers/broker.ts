import type { Message } from '../message.js';

/**
 * What carries messages.
 *
 * Delivery is at least once: a message stays with the broker until its delivery is settled, and comes back when the
 * consumer that had it is gone. Delayed and parked messages live in the broker, never in a worker. Text that is not a
 * message is set aside by the broker with the reason, and stops nobody.
 *
 * The full statement of what is promised is the suite in `test/conformance/broker.ts`.
 */
export interface Broker {
  /** `memory`, `redis`, `rabbitmq`: for messages, logs and events. */
  readonly kind: string;
  readonly features: BrokerFeatures;

  /**
   * For how long a message may be in a worker's hands, in milliseconds, before the broker takes it away, and what to do for
   * tasks that run for longer. Absent where it may be for ever.
   */
  readonly patience?: { readonly ms: number; readonly advice: string };

  /**
   * Says what is special about a queue, before it is used. Absent where all queues are alike. Throws `ConfigError` when
   * something else was said of it before.
   */
  declare?(queue: string, options: QueueOptions): void;

  /** Hands messages over; resolves when the broker has them all. Order within the call is publish order. */
  publish(messages: readonly Message[], options: PublishOptions): Promise<void>;

  /** Starts fetching. Queues are served in turn. */
  consume(queues: readonly string[], options: ConsumeOptions): Promise<Consumer>;

  /** How many messages of the queue are where. */
  depth(queue: string): Promise<Depth>;

  /** The rooms of the queue that are not empty. Rejects with `ConfigError` where `features.inspection` is false. */
  rooms(queue: string): Promise<readonly RoomState[]>;

  /**
   * Where the message with this id is in these queues. Of several, one that runs, else one that waits, else one that is
   * set aside. It is a question of people, which may cost a look at all that the queues hold. Rejects with `ConfigError`
   * where `features.inspection` is false.
   */
  locate(id: string, queues: readonly string[]): Promise<Located | undefined>;

  /** Drops every message of the queue that no worker has in hand, and tells how many. What is set aside stays. */
  purge(queue: string): Promise<number>;

  /**
   * Marks a message as revoked. Where it waits, it is delivered at once, whatever its delay or room, so that a worker
   * records its end; where it runs, its worker is told.
   */
  revoke(id: string): Promise<void>;

  /** Messages set aside, oldest first. */
  aside(queue: string): Promise<readonly Aside[]>;

  /** Puts a message that was set aside back into its queue, as new. False when there is none. */
  replay(queue: string, asideId: string): Promise<boolean>;

  /** Forgets a message that was set aside. False when there is none. */
  discard(queue: string, asideId: string): Promise<boolean>;

  close(): Promise<void>;
}

export interface BrokerFeatures {
  /** Messages of a higher priority come first. */
  readonly priority: boolean;
  /** `again` is one step, so that a crash in it leaves one copy; otherwise it may leave two, never none. */
  readonly atomicAgain: boolean;
  /** `revoke` reaches messages that wait. */
  readonly revocation: boolean;
  /** Deadlines of parked messages are kept by the broker; otherwise they are noticed when the message is taken. */
  readonly deadlines: boolean;
  /** `rooms` and `locate` work: somebody who consumes nothing can look into queues. */
  readonly inspection: boolean;
}

/** What is special about a queue. */
export interface QueueOptions {
  /**
   * Shared with Celery: it is declared as Celery declares it, and its messages are Celery's. `maxPriority` is what
   * `task_queue_max_priority` says there; without it a priority has no effect in that queue. Default false.
   */
  readonly celery?: boolean | { readonly maxPriority?: number };
}

export interface PublishOptions {
  readonly queue: string;
  /** Milliseconds from now. */
  readonly delay?: number;
}

export interface ConsumeOptions {
  /** Slots: deliveries that may be in hand at once, fetched and taken together. */
  readonly concurrency: number;
  /** Milliseconds after which the deliveries of a consumer that is gone come back. */
  readonly lease: number;
  /** Called for every message fetched, never more than there are slots. It must not throw. */
  readonly onDelivery: (delivery: Delivery) => void;
  /** A slot is free, and the queues have nothing for it now. */
  readonly onIdle?: () => void;
  /** A room of a queue served here has become non-empty. */
  readonly onRoom?: (room: Room) => void;
  /** A message was revoked, and may be in hand here. */
  readonly onRevoked?: (id: string) => void;
  /** Something failed in the background, such as fetching; it is tried again. */
  readonly onError?: (error: unknown) => void;
}

/** One worker's side of the broker. Closed, or dead, it leaves what it had in hand to the others, as losses. */
export interface Consumer {
  /** Slots that hold no delivery and that the queues have no message for. */
  readonly idle: number;

  /**
   * A message is there that will be handed over as soon as there is a slot for it, with no question to a server. Absent
   * where that is not known.
   */
  readonly more?: boolean;

  /**
   * The queues had a message for every slot when they were asked last, so those that become free now are likely to be
   * given another: it is on its way, or about to be asked for. Absent where that is not known.
   */
  readonly expecting?: boolean;

  /** A take costs no more by itself than one that settles a delivery in the same step. Absent where it does. */
  readonly takesAlone?: boolean;

  /**
   * Milliseconds for which the broker has not answered what fetches here, though there was a slot to fetch for. An answer
   * is also that there is nothing. A broker that waits for messages asks again at least every 5 s.
   */
  readonly silence: number;

  /**
   * Takes the message of a resource's rooms that comes first: highest priority, then published first, over all queues
   * served here. A slot is used from the call on: the one of the `settling` delivery, which is settled in the same step,
   * or else a free one; call it without `settling` only while `idle` is above 0. A head of another weight is left there.
   */
  take(resource: string, options: TakeOptions): Promise<Taken>;

  /** The rooms of the queues served here that are not empty. */
  rooms(): Promise<readonly Room[]>;

  /**
   * Of these resources, those that have no message in any room of the queues served here: what a take would find, for
   * many at once. Absent where only a take can tell.
   */
  vacant?(resources: readonly string[]): Promise<readonly string[]>;

  /** Tells that this worker stands in line for these rooms: moves forward the moment when they count as untended. */
  attend(rooms: readonly RoomRef[]): Promise<void>;

  /** Rooms of the queues served here that nobody has attended for their countdown. Asking attends them. */
  orphans(): Promise<readonly Room[]>;

  /** Fetches nothing more. What was fetched and not handed over goes back. Deliveries in hand can still be settled. */
  stop(): Promise<void>;

  /** Leaves. Deliveries in hand that are not settled go back to their queues at once, as losses. */
  close(): Promise<void>;
}

export interface TakeOptions {
  readonly weight: number;
  readonly settling?: { readonly delivery: Delivery; readonly outcome: Outcome };
}

export type Taken =
  | { readonly kind: 'taken'; readonly delivery: Delivery }
  /** The message that comes first has another weight. */
  | { readonly kind: 'other'; readonly weight: number }
  | { readonly kind: 'empty' }
  /** The `settling` delivery was not this consumer's any more, so nothing was done and nothing taken. */
  | { readonly kind: 'void' };

export interface Delivery {
  readonly message: Message;
  readonly queue: string;
  /** The room it was taken from. */
  readonly room?: string;
  /** How often the message was in the hands of a worker that died, or left without settling it. `again` keeps the count. */
  readonly losses: number;
  /** It was revoked before it was handed over. What is revoked later is told by `onRevoked`. */
  readonly revoked: boolean;
  /**
   * Ends the delivery, once. False: it was not this consumer's any more (declared dead, message delivered again), so
   * nothing was done.
   */
  settle(outcome: Outcome): Promise<boolean>;
}

/** How a delivery ends. */
export type Outcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'failed' }
  | { readonly kind: 'skipped' }
  /** Set aside with its reason, to be listed and replayed by an operator. */
  | { readonly kind: 'aside'; readonly reason: string }
  /** Replaced by a changed message: into a room, or into the queue `after` milliseconds from now. */
  | { readonly kind: 'again'; readonly message: Message; readonly after: number }
  | { readonly kind: 'again'; readonly message: Message; readonly room: Parking };

export interface Parking {
  readonly resource: string;
  /** Permits the message needs of the resource. */
  readonly weight: number;
  /** The capacity its worker took the resource to have: for a worker that knows it only from here. */
  readonly capacity: number;
  /** Milliseconds for which the room may stand unattended. A room goes by what was parked there last. */
  readonly countdown: number;
  /** Milliseconds since 1970 at which the message goes back to the queue, taken or not: to expire, or to give up. */
  readonly deadline?: number;
}

export interface RoomRef {
  readonly queue: string;
  readonly resource: string;
}

export interface Room extends RoomRef {
  /** Of the message that comes first. */
  readonly weight: number;
  readonly capacity: number;
  readonly countdown: number;
}

/** A room as an operator sees it. */
export interface RoomState extends RoomRef {
  /** Messages in it, 1 or more. */
  readonly parked: number;
  /** Of the one that was published first: its `deferredAt`, or without one its `sentAt`. */
  readonly since: number;
}

/** A message that was looked for, and where it is. */
export type Located = { readonly queue: string; readonly message: Message } & Whereabouts;

/** `ahead` are messages that come before it there; `until` is in milliseconds since 1970. */
export type Whereabouts =
  | { readonly where: 'ready'; readonly ahead: number }
  | { readonly where: 'delayed'; readonly until: number }
  | { readonly where: 'parked'; readonly resource: string; readonly ahead: number }
  /** In a worker's hands. */
  | { readonly where: 'running' }
  | { readonly where: 'apart'; readonly aside: Aside };

export interface Depth {
  readonly ready: number;
  readonly delayed: number;
  readonly parked: number;
  /** In workers' hands. */
  readonly running: number;
  readonly apart: number;
}

export interface Aside {
  readonly id: string;
  readonly reason: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Absent when the text is not a message. */
  readonly message?: Message;
  /** What arrived, as it arrived. */
  readonly text: string;
}
