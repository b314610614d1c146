/** Messages of Protocol Buffers, field by field: what of that format is said here, and nothing more. */

/** What the number of a field is sent with: whether a varint follows, or a length and bytes. */
const varint = 0;
const sized = 2;

/**
 * A message that is written from its end to its front, so the last field comes first: when what is inside a field is
 * there, its length is known. What says nothing else than the default is left out by whoever writes.
 */
export class Writer {
  #bytes: Buffer;
  /** Where the message begins, as far as it is written. */
  #at: number;

  constructor(room = 512) {
    this.#bytes = Buffer.allocUnsafe(room);
    this.#at = room;
  }

  /** A whole number that is safe, from 0 on. */
  number(field: number, value: number): void {
    this.#varint(value);
    this.#varint(field * 8 + varint);
  }

  /** A number of 64 bits, in decimal digits. */
  long(field: number, digits: string): void {
    const value = Number(digits);
    if (value >= 0 && value <= Number.MAX_SAFE_INTEGER) this.#varint(value);
    else this.#longVarint(BigInt.asUintN(64, BigInt(digits)));
    this.#varint(field * 8 + varint);
  }

  bytes(field: number, value: Uint8Array): void {
    this.#need(value.length);
    this.#at -= value.length;
    this.#bytes.set(value, this.#at);
    this.#varint(value.length);
    this.#varint(field * 8 + sized);
  }

  /** A message in a field: what `write` writes. */
  message(field: number, write: () => void): void {
    const end = this.length;
    write();
    this.#varint(this.length - end);
    this.#varint(field * 8 + sized);
  }

  get length(): number {
    return this.#bytes.length - this.#at;
  }

  /** The message, with so much room before it for whoever sends it. */
  done(before: number): Buffer {
    this.#need(before);
    return this.#bytes.subarray(this.#at - before);
  }

  #varint(value: number): void {
    this.#need(8);
    let size = 1;
    for (let left = value; left >= 128; left = Math.floor(left / 128)) size++;
    this.#at -= size;
    let left = value;
    for (let i = 0; i < size; i++, left = Math.floor(left / 128)) {
      this.#bytes[this.#at + i] = (left % 128) | (i < size - 1 ? 128 : 0);
    }
  }

  #longVarint(value: bigint): void {
    const groups: number[] = [];
    for (let left = value; left > 0n; left >>= 7n) groups.push(Number(left & 127n));
    this.#need(groups.length);
    this.#at -= groups.length;
    for (const [i, group] of groups.entries()) {
      this.#bytes[this.#at + i] = group | (i < groups.length - 1 ? 128 : 0);
    }
  }

  #need(room: number): void {
    if (room <= this.#at) return;
    const { length } = this;
    const larger = Buffer.allocUnsafe(2 * (length + room));
    this.#bytes.copy(larger, larger.length - length, this.#at);
    this.#at = larger.length - length;
    this.#bytes = larger;
  }
}

/** A message that is read field by field, from its front. Throws when it ends within one. */
export class Reader {
  readonly #bytes: Buffer;
  #at: number;
  readonly #end: number;
  #field = 0;
  #kind = varint;

  constructor(bytes: Buffer, at = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  /** Goes on to the next field, which is to be read or skipped. False at the end. */
  next(): boolean {
    if (this.#at >= this.#end) return false;
    const tag = this.number();
    this.#kind = tag % 8;
    this.#field = Math.floor(tag / 8);
    return true;
  }

  /** The number of the field. */
  get field(): number {
    return this.#field;
  }

  /** One that is safe; a larger one comes out as about so much. */
  number(): number {
    let value = 0;
    for (let unit = 1; ; unit *= 128) {
      const byte = this.#bytes[this.#pass(1)] as number;
      value += (byte % 128) * unit;
      if (byte < 128) return value;
    }
  }

  /** A number of 64 bits, in decimal digits. */
  long(): string {
    const start = this.#at;
    const about = this.number();
    if (about <= Number.MAX_SAFE_INTEGER) return String(about);
    let value = 0n;
    for (let i = this.#at - 1; i >= start; i--) {
      value = (value << 7n) | BigInt((this.#bytes[i] as number) % 128);
    }
    return String(BigInt.asIntN(64, value));
  }

  bytes(): Buffer {
    const length = this.number();
    const start = this.#pass(length);
    return this.#bytes.subarray(start, start + length);
  }

  message(): Reader {
    const length = this.number();
    const start = this.#pass(length);
    return new Reader(this.#bytes, start, start + length);
  }

  skip(): void {
    if (this.#kind === sized) this.#pass(this.number());
    else if (this.#kind === varint) this.number();
    else this.#pass(this.#kind === 1 ? 8 : 4);
  }

  #pass(length: number): number {
    const start = this.#at;
    this.#at += length;
    if (this.#at > this.#end) throw new Error('An answer of etcd was too short');
    return start;
  }
}
