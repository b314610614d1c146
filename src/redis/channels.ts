import type { Unsubscribe } from '../events.js';
import type { Listener, RedisSubscriber } from './subscriber.js';

/** One listener's part in a channel. */
export interface Hearing {
  /** Resolves when messages are heard. */
  readonly begun: Promise<void>;
  readonly stop: Unsubscribe;
}

/** Channels that several listen to. */
export class Channels {
  readonly #subscriber: RedisSubscriber;
  readonly #channels = new Map<string, Channel>();

  constructor(subscriber: RedisSubscriber) {
    this.#subscriber = subscriber;
  }

  hear(name: string, listener: Listener): Hearing {
    const channel = this.#channels.get(name) ?? this.#open(name);
    return channel.add(listener, () => {
      if (this.#channels.get(name) === channel) this.#channels.delete(name);
    });
  }

  #open(name: string): Channel {
    const channel = new Channel();
    this.#channels.set(name, channel);
    channel.unsubscribe = this.#subscriber.subscribe(name, channel);
    return channel;
  }
}

class Channel implements Listener {
  unsubscribe: Unsubscribe = () => {};
  readonly #listeners = new Set<Listener>();
  readonly #begun: Promise<void>;
  #hasBegun!: () => void;

  constructor() {
    this.#begun = new Promise((hasBegun) => {
      this.#hasBegun = hasBegun;
    });
  }

  add(listener: Listener, onEmpty: () => void): Hearing {
    const own: Listener = { ...listener };
    this.#listeners.add(own);
    const stop = () => {
      if (!this.#listeners.delete(own) || this.#listeners.size > 0) return;
      this.unsubscribe();
      onEmpty();
    };
    return { begun: this.#begun, stop };
  }

  onMessage(message: string): void {
    for (const listener of [...this.#listeners]) {
      if (this.#listeners.has(listener)) listener.onMessage(message);
    }
  }

  onHearing(): void {
    this.#hasBegun();
    for (const listener of [...this.#listeners]) listener.onHearing();
  }
}
