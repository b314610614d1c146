import type { KeyRange, Operation } from './client.js';

/**
 * Where a resource lives in etcd:
 *
 *     lk/storage/694d8f2c1b3a5e07      a permit or a place: the lease in hexadecimal, as in Go's `concurrency`
 *     lk/storage/694d8f2c1b3a5e07-3    the same of a process that has several, with a number
 *     lk/storage/694d8f2c1b3a5e11      the same of `etcdctl lock lk/storage`
 *     lk/storage%cap                   the capacity an operator stored: `5`
 *     lk/storage%pause                 a pause
 *
 * Everything below `lk/storage/` stands in the line, whoever made it. In a name `/` is written `%2F` and `%` is written
 * `%25`, so no resource's keys are below another's, and a `%` before a small letter is always ours.
 */
export interface ResourceKeys {
  /** What the keys in the line begin with. */
  readonly below: string;
  readonly line: Required<KeyRange>;
  /** What operators store. */
  readonly settings: Required<KeyRange>;
  readonly capacity: Buffer;
  readonly pause: Buffer;
  /** What a transaction reads to see who stands there. Its answers are the last two. */
  readonly look: Operation[];
}

export function keysOf(prefix: string, resource: string): ResourceKeys {
  const name = prefix + escaped(resource);
  const line = { key: Buffer.from(`${name}/`), range_end: Buffer.from(`${name}0`) };
  const settings = { key: Buffer.from(`${name}%c`), range_end: Buffer.from(`${name}%q`) };
  return {
    below: `${name}/`,
    line,
    settings,
    look: [{ request_range: line }, { request_range: settings }],
    capacity: Buffer.from(`${name}%cap`),
    pause: Buffer.from(`${name}%pause`),
  };
}

/** Half of a surrogate pair has no bytes of its own. */
function escaped(name: string): string {
  return name.replace(
    /[/%]|\p{Surrogate}/gu,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}
