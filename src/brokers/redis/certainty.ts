interface Parts {
  /** Tells the broker what is known of. What is not goes back to the queue. */
  readonly tell: () => Promise<unknown>;
  readonly onDoubt: () => void;
}

/**
 * Whether a worker knows of all that it has in hand.
 *
 * When the answer of a step that hands something out is not heard, there may be messages in its hands that it does not know
 * of. Before it fetches or takes again it tells what it knows of, and the rest goes back: that is when nothing is on its way,
 * so that it knows of all that it may know of, and nothing is asked for until it is answered. Steps arrive in the order in
 * which they are sent, also those whose answer nobody waits for any more, and a connection that was lost has brought what it
 * will bring when the next one is ready. That may be wrong, with a proxy between; so it tells with every few beats, too.
 */
export class Certainty {
  readonly #parts: Parts;
  /** How often it came into doubt, and how many of these are over. */
  #doubts = 0;
  #over = 0;
  /** Steps under way that hand something out. */
  #handing = 0;
  #whenNoneHands: (() => void)[] = [];
  #telling: Promise<void> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  doubt(): void {
    this.#doubts++;
    this.#parts.onDoubt();
  }

  /** Nothing is in hand. */
  begin(): void {
    this.#over = this.#doubts;
  }

  /** A step that hands something out. */
  async handOut<T>(step: () => Promise<T>): Promise<T> {
    while (this.isInDoubt) await this.become();
    this.#handing++;
    try {
      return await step();
    } catch (error) {
      this.doubt();
      throw error;
    } finally {
      this.#handing--;
      if (this.#handing === 0) for (const tell of this.#whenNoneHands.splice(0)) tell();
    }
  }

  /** Resolves when there is no doubt. */
  async become(): Promise<void> {
    while (this.isInDoubt) {
      this.#telling ??= this.#tell().finally(() => {
        this.#telling = undefined;
      });
      await this.#telling;
    }
  }

  get isInDoubt(): boolean {
    return this.#doubts !== this.#over;
  }

  async #tell(): Promise<void> {
    while (this.#handing > 0) await new Promise<void>((resolve) => this.#whenNoneHands.push(resolve));
    const doubts = this.#doubts;
    try {
      await this.#parts.tell();
      this.#over = doubts;
    } catch (error) {
      this.doubt();
      throw error;
    }
  }
}
