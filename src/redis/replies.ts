const carriageReturn = 13;
const minus = 45;
const zero = 48;

/**
 * Reads replies where they have come in, one after the other. It knows the kinds that scripts give, in both versions of the
 * protocol, and of them those that are there as a whole; the rest is for the client library.
 */
export class Replies {
  readonly #bytes: Buffer;
  #at = 0;
  #isForeign = false;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** A text, a number, `null` or a list of them. `undefined`, and nothing is read, when it is no such reply, or not all there. */
  next(): unknown {
    const begin = this.#at;
    const reply = this.#read();
    if (reply === undefined) this.#at = begin;
    return reply;
  }

  /** What was not read. */
  get rest(): Buffer {
    return this.#bytes.subarray(this.#at);
  }

  /** Goes past all that was not read. */
  skip(): void {
    this.#at = this.#bytes.length;
  }

  get isOver(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** Whether one was met that is of another kind. */
  get isForeign(): boolean {
    return this.#isForeign;
  }

  #read(): unknown {
    switch (this.#bytes[this.#at++]) {
      case 0x3a: // :
        return this.#number();
      case 0x24: // $
        return this.#text();
      case 0x2a: // *
        return this.#list();
      case 0x2b: // +
        return this.#status();
      case 0x5f: // _
        return this.#endOfLine() === undefined ? undefined : null;
      default:
        this.#isForeign = this.#at <= this.#bytes.length;
        return undefined;
    }
  }

  #number(): number | undefined {
    const begin = this.#at;
    const end = this.#endOfLine();
    if (end === undefined) return undefined;
    const isNegative = this.#bytes[begin] === minus;
    let number = 0;
    for (let i = isNegative ? begin + 1 : begin; i < end; i++)
      number = 10 * number + (this.#bytes[i] as number) - zero;
    return isNegative ? -number : number;
  }

  #text(): string | null | undefined {
    const length = this.#number();
    if (length === undefined) return undefined;
    if (length < 0) return null;
    const begin = this.#at;
    const end = begin + length;
    if (end + 2 > this.#bytes.length) return undefined;
    this.#at = end + 2;
    return this.#bytes.toString('utf8', begin, end);
  }

  #status(): string | undefined {
    const begin = this.#at;
    const end = this.#endOfLine();
    return end === undefined ? undefined : this.#bytes.toString('utf8', begin, end);
  }

  #list(): unknown[] | null | undefined {
    const length = this.#number();
    if (length === undefined) return undefined;
    if (length < 0) return null;
    const list: unknown[] = [];
    while (list.length < length) {
      const item = this.#read();
      if (item === undefined) return undefined;
      list.push(item);
    }
    return list;
  }

  /** Where the line ends that is read; the next reply, or what is in it, begins after that. */
  #endOfLine(): number | undefined {
    const bytes = this.#bytes;
    for (let end = this.#at; end + 1 < bytes.length; end++) {
      if (bytes[end] !== carriageReturn) continue;
      this.#at = end + 2;
      return end;
    }
    return undefined;
  }
}
