import type { Cancel, Clock } from '../../clock.js';
import type { WatchEvent } from './client.js';
import type { OwnClaim, Resource } from './resource.js';
import type { Sight } from './sight.js';
import type { WatchStream } from './watch-stream.js';

/** Milliseconds that a resource is still watched for when nobody wants to hear of it any more: the next may come at once. */
const linger = 500;

/** Milliseconds that etcd has for telling what was missed: it looks for that every 100. */
const catchUp = 1_000;

/** Milliseconds before it is tried again when a look was not answered, or a watch was refused. */
const retry = 1_000;

interface Hooks {
  /** Asks etcd who stands there. */
  look(resource: Resource): Promise<Sight>;
  /** Their weight is above the capacity by now: they stand in everybody's way. */
  onTooHeavy(resource: Resource, claims: readonly OwnClaim[]): void;
  onQuiet(resource: Resource): void;
}

/** Keeps what is known of resources up to date, while somebody here waits for one, or wants to hear of a permit of it. */
export class Watches {
  readonly #stream: WatchStream;
  readonly #clock: Clock;
  readonly #hooks: Hooks;
  /** How to end the watch of a resource. */
  readonly #watched = new Map<Resource, () => void>();
  readonly #ending = new Map<Resource, Cancel>();
  readonly #looking = new Set<Resource>();
  /** Those that etcd would not let be watched just now. */
  readonly #resting = new Set<Resource>();
  readonly #again = new Set<Cancel>();
  #closed = false;

  constructor(stream: WatchStream, clock: Clock, hooks: Hooks) {
    this.#stream = stream;
    this.#clock = clock;
    this.#hooks = hooks;
  }

  /** Begins or ends to watch it, as is wanted. */
  attend(resource: Resource): void {
    if (this.#closed) return;
    if (!resource.interesting) {
      this.#endLater(resource);
      return;
    }
    this.#ending.get(resource)?.();
    this.#ending.delete(resource);
    if (resource.watched || this.#resting.has(resource)) return;
    if (resource.sight) this.#begin(resource, resource.sight);
    else this.#look(resource);
  }

  /** Calls those whose turn it may be by what is known. */
  review(resource: Resource): void {
    const tooHeavy = resource.callWhoMayEnter();
    if (tooHeavy.length > 0) this.#hooks.onTooHeavy(resource, tooHeavy);
  }

  #begin(resource: Resource, { lineAt, settingsAt }: Sight): void {
    const onEvents = (told: (event: WatchEvent) => boolean) => (events: readonly WatchEvent[]) => {
      const news = events.map(told);
      if (news.includes(true)) this.review(resource);
    };
    let resumed = 0;
    const onResumed = () => {
      resumed++;
      resource.catchesUpUntil = Number.POSITIVE_INFINITY;
    };
    const onAnswered = () => {
      if (--resumed === 0) resource.catchesUpUntil = this.#clock.now() + catchUp;
    };
    const onLost = () => this.#lost(resource);
    const { line, settings } = resource.keys;
    const ends = [
      this.#stream.watch({
        range: line,
        from: lineAt + 1,
        onEvents: onEvents((event) => resource.lineChanged(event)),
        onResumed,
        onAnswered,
        onLost,
      }),
      this.#stream.watch({
        range: settings,
        from: settingsAt + 1,
        onEvents: onEvents((event) => resource.settingsChanged(event)),
        onResumed,
        onAnswered,
        onLost,
      }),
    ];
    resource.watched = true;
    this.#watched.set(resource, () => {
      for (const end of ends) end();
    });
  }

  /** What is known of it is not to be relied on: whoever waits asks for itself. */
  lookAgain(resource: Resource): void {
    this.#end(resource);
    resource.listeners.callAll();
    this.attend(resource);
  }

  #lost(resource: Resource): void {
    this.#resting.add(resource);
    this.lookAgain(resource);
    this.#later(retry, () => {
      this.#resting.delete(resource);
      this.attend(resource);
    });
  }

  #look(resource: Resource): void {
    if (this.#looking.has(resource)) return;
    this.#looking.add(resource);
    // What it brings is noticed, and then this begins.
    void this.#hooks
      .look(resource)
      .catch(() => this.#later(retry, () => this.attend(resource)))
      .finally(() => this.#looking.delete(resource));
  }

  #endLater(resource: Resource): void {
    if (!resource.watched || this.#ending.has(resource)) return;
    const cancel = this.#later(linger, () => {
      this.#end(resource);
      this.#hooks.onQuiet(resource);
    });
    this.#ending.set(resource, cancel);
  }

  #end(resource: Resource): void {
    this.#ending.get(resource)?.();
    this.#ending.delete(resource);
    this.#watched.get(resource)?.();
    this.#watched.delete(resource);
    resource.unwatched();
  }

  #later(ms: number, callback: () => void): Cancel {
    const cancel = this.#clock.after(ms, () => {
      this.#again.delete(stop);
      callback();
    });
    const stop = () => {
      this.#again.delete(stop);
      cancel();
    };
    this.#again.add(stop);
    return stop;
  }

  close(): void {
    this.#closed = true;
    for (const cancel of this.#again) cancel();
    this.#watched.clear();
    this.#stream.close();
  }
}
