/** What is said over a connection: numbers with their big end first, texts and bytes with their length before them. */

/** A number takes four bytes, a flag one. */
export type Field = number | boolean | string | Buffer;

/** The fields, with the length of all before them. */
export function encode(fields: readonly Field[]): Buffer {
  let length = 0;
  for (const field of fields) length += lengthOf(field);
  const bytes = Buffer.allocUnsafe(4 + length);
  let at = bytes.writeInt32BE(length);
  for (const field of fields) at = write(bytes, at, field);
  return bytes;
}

function lengthOf(field: Field): number {
  if (typeof field === 'number') return 4;
  return typeof field === 'boolean' ? 1 : 4 + Buffer.byteLength(field);
}

/** Where the next field begins. */
function write(bytes: Buffer, at: number, field: Field): number {
  if (typeof field === 'number') return bytes.writeInt32BE(field, at);
  if (typeof field === 'boolean') return bytes.writeUInt8(field ? 1 : 0, at);
  const start = at + 4;
  const length = typeof field === 'string' ? bytes.write(field, start) : field.copy(bytes, start);
  bytes.writeInt32BE(length, at);
  return start + length;
}

/** Behind its length, an answer begins with the number of the request, the last transaction, and an error code. */
const header = 4 + 16;

/** What was answered, from the front. Throws when there is less than is asked for. */
export class Answer {
  readonly #bytes: Buffer;
  #at = header;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  number(): number {
    return this.#bytes.readInt32BE(this.#pass(4));
  }

  flag(): boolean {
    return this.#bytes.readUInt8(this.#pass(1)) === 1;
  }

  text(): string {
    const length = this.number();
    const start = this.#pass(length);
    return this.#bytes.toString('utf8', start, start + length);
  }

  texts(): string[] {
    const texts: string[] = [];
    for (let left = this.number(); left > 0; left--) texts.push(this.text());
    return texts;
  }

  /** Nothing is said as a length below zero. */
  data(): Buffer {
    const length = Math.max(0, this.number());
    const start = this.#pass(length);
    return this.#bytes.subarray(start, start + length);
  }

  stat(): Stat {
    return new Stat(this.#bytes, this.#pass(68));
  }

  #pass(length: number): number {
    const start = this.#at;
    this.#at += length;
    if (length < 0 || this.#at > this.#bytes.length) throw new Error('An answer of ZooKeeper was too short');
    return start;
  }
}

/** What a server tells of a node. */
export class Stat {
  readonly #bytes: Buffer;
  readonly #at: number;

  /** As it was answered, from here on. */
  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  /** The transaction that created it. */
  get czxid(): bigint {
    return this.#bytes.readBigInt64BE(this.#at);
  }

  /** The transaction that set its data last. */
  get mzxid(): bigint {
    return this.#bytes.readBigInt64BE(this.#at + 8);
  }

  /** When it was created: milliseconds since 1970, by the clock of the leading server. */
  get ctime(): number {
    return Number(this.#bytes.readBigInt64BE(this.#at + 16));
  }

  /** When its data was set last, by the same clock. */
  get mtime(): number {
    return Number(this.#bytes.readBigInt64BE(this.#at + 24));
  }

  /** How often its data was set. */
  get version(): number {
    return this.#bytes.readInt32BE(this.#at + 32);
  }

  /** How often children came and went. */
  get cversion(): number {
    return this.#bytes.readInt32BE(this.#at + 36);
  }

  /** The session that it ends with; 0 for none. */
  get ephemeralOwner(): bigint {
    return this.#bytes.readBigInt64BE(this.#at + 44);
  }
}
