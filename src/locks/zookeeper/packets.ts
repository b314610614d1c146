import { type Answer, encode, type Field, type Stat } from './wire.js';

/** Kinds of requests, by their numbers. `createTold` answers with what is said of the node: servers do that from 3.5 on. */
export const kind = {
  create: 1,
  remove: 2,
  stat: 3,
  read: 4,
  write: 5,
  sync: 9,
  list: 12,
  commit: 14,
  createTold: 15,
} as const;

export const mode = { persistent: 0, ephemeral: 1, ephemeralSequential: 3 } as const;

/**
 * A request, as the library's queue takes it. What the library does itself with requests and answers costs more than all
 * of a permit, and it knows neither `sync` nor `createTold`. So it is made to take every answer for that of a removal, a
 * header and nothing else, and the rest is read by us.
 */
export class Packet {
  /** The number is filled in when it is sent. */
  readonly header = { type: kind.remove, xid: 0 };
  readonly payload = undefined;
  readonly #bytes: Buffer;

  constructor(kindOf: number, fields: readonly Field[]) {
    this.#bytes = encode([0, kindOf, ...fields]);
  }

  toBuffer(): Buffer {
    this.#bytes.writeInt32BE(this.header.xid, 4);
    return this.#bytes;
  }
}

/** Of a node. */
export type Data = string | Buffer;

export type Operation =
  | { readonly create: string; readonly data: Data; readonly mode: number }
  | { readonly write: string; readonly data: Data }
  | { readonly remove: string };

/** What came of one operation of a transaction. */
export interface Result {
  readonly path?: string;
  readonly stat?: Stat;
  /** Of the one that all failed for, and of those behind it. */
  readonly code?: number;
}

/** One entry: all of it, for the world's anyone. */
const openToAll: readonly Field[] = [1, 31, 'world', 'anyone'];
const anyVersion = -1;

export function creation(path: string, data: Data, how: number): Field[] {
  return [path, data, ...openToAll, how];
}

export function removal(path: string): Field[] {
  return [path, anyVersion];
}

export function writing(path: string, data: Data): Field[] {
  return [path, data, anyVersion];
}

/** Each with what it is before it, and an end. */
export function transaction(operations: readonly Operation[], at: (path: string) => string): Field[] {
  const fields: Field[] = [];
  for (const one of operations) {
    if ('create' in one) {
      fields.push(kind.create, false, -1, ...creation(at(one.create), one.data, one.mode));
    } else if ('write' in one) fields.push(kind.write, false, -1, ...writing(at(one.write), one.data));
    else fields.push(kind.remove, false, -1, ...removal(at(one.remove)));
  }
  fields.push(-1, true, -1);
  return fields;
}

/** What came of each, in the same order. */
export function resultsIn(answer: Answer): Result[] {
  const results: Result[] = [];
  for (;;) {
    const of = answer.number();
    const end = answer.flag();
    answer.number();
    if (end) return results;
    results.push(resultOf(of, answer));
  }
}

function resultOf(of: number, answer: Answer): Result {
  if (of === kind.create) return { path: answer.text() };
  if (of === kind.write) return { stat: answer.stat() };
  if (of === kind.remove) return {};
  if (of === -1) return { code: answer.number() };
  throw new Error(`A transaction of ZooKeeper was answered with a result of an unknown kind: ${of}`);
}
