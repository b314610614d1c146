import type {
  Comparison,
  KeyRange,
  KeyValue,
  Operation,
  Put,
  Transaction,
  TransactionAnswer,
} from '../client.js';
import { Reader, Writer } from './protobuf.js';

/** A transaction and its answer in bytes: the numbers of fields and of names are those of etcd's `rpc.proto`. */

const results = { Equal: 0, Less: 2 } as const;
const targets = { Create: 1, Mod: 2 } as const;

/** The transaction, with so much room before it. */
export function encodeTransaction(transaction: Transaction, before: number): Buffer {
  const writer = new Writer();
  writeTransaction(writer, transaction);
  return writer.done(before);
}

function writeTransaction(writer: Writer, { compare, success, failure }: Transaction): void {
  backwards(failure, (one) => writer.message(3, () => writeOperation(writer, one)));
  backwards(success, (one) => writer.message(2, () => writeOperation(writer, one)));
  backwards(compare, (one) => writer.message(1, () => writeComparison(writer, one)));
}

function writeComparison(writer: Writer, comparison: Comparison): void {
  const { key, range_end, target, result, create_revision, mod_revision } = comparison;
  if (range_end) writer.bytes(64, range_end);
  if (mod_revision !== undefined) writer.long(6, mod_revision);
  if (create_revision !== undefined) writer.long(5, create_revision);
  writer.bytes(3, key);
  writer.number(2, targets[target]);
  writer.number(1, results[result]);
}

function writeOperation(writer: Writer, operation: Operation): void {
  if ('request_range' in operation) {
    const { request_range: range } = operation;
    writer.message(1, () => {
      if (range.keys_only) writer.number(8, 1);
      writeRange(writer, range);
    });
  } else if ('request_put' in operation) writer.message(2, () => writePut(writer, operation.request_put));
  else if ('request_delete_range' in operation) {
    const { request_delete_range: range } = operation;
    writer.message(3, () => {
      if (range.prev_kv) writer.number(3, 1);
      writeRange(writer, range);
    });
  } else writer.message(4, () => writeTransaction(writer, operation.request_txn));
}

function writeRange(writer: Writer, { key, range_end }: KeyRange): void {
  if (range_end) writer.bytes(2, range_end);
  writer.bytes(1, key);
}

function writePut(writer: Writer, { key, value, lease, prev_kv }: Put): void {
  if (prev_kv) writer.number(4, 1);
  if (lease !== undefined) writer.long(3, lease);
  writer.bytes(2, value);
  writer.bytes(1, key);
}

function backwards<T>(all: readonly T[] = [], write: (one: T) => void): void {
  for (let i = all.length - 1; i >= 0; i--) write(all[i] as T);
}

type Response = TransactionAnswer['responses'][number];

/** The answer in these bytes, from `at` on. Throws when it is cut off. */
export function decodeAnswer(bytes: Buffer, at: number): TransactionAnswer {
  const answer = { header: { revision: '0' }, succeeded: false, responses: [] as Response[] };
  const message = new Reader(bytes, at);
  while (message.next()) {
    if (message.field === 1) answer.header.revision = readRevision(message.message());
    else if (message.field === 2) answer.succeeded = message.number() === 1;
    else if (message.field === 3) answer.responses.push(readResponse(message.message()));
    else message.skip();
  }
  return answer;
}

function readRevision(header: Reader): string {
  let revision = '0';
  while (header.next()) {
    if (header.field === 3) revision = header.long();
    else header.skip();
  }
  return revision;
}

function readResponse(response: Reader): Response {
  let read: Response = {};
  while (response.next()) {
    if (response.field === 1) read = { response_range: { kvs: readKeys(response.message(), 2) } };
    else if (response.field === 2) read = { response_put: { prev_kv: readKeys(response.message(), 2)[0] } };
    else if (response.field === 3)
      read = { response_delete_range: { prev_kvs: readKeys(response.message(), 3) } };
    else response.skip();
  }
  return read;
}

/** The keys in one field of an answer. */
function readKeys(answer: Reader, field: number): KeyValue[] {
  const keys: KeyValue[] = [];
  while (answer.next()) {
    if (answer.field === field) keys.push(readKey(answer.message()));
    else answer.skip();
  }
  return keys;
}

function readKey(message: Reader): KeyValue {
  const read = { key: nothing, value: nothing, create_revision: '0', mod_revision: '0', lease: '0' };
  while (message.next()) {
    if (message.field === 1) read.key = message.bytes();
    else if (message.field === 2) read.create_revision = message.long();
    else if (message.field === 3) read.mod_revision = message.long();
    else if (message.field === 5) read.value = message.bytes();
    else if (message.field === 6) read.lease = message.long();
    else message.skip();
  }
  return read;
}

const nothing: Buffer = Buffer.alloc(0);
