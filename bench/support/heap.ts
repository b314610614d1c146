import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
export const collect: () => void = runInNewContext('gc');

/** Bytes that are in use, when all garbage has been collected. */
export function heapUsed(): number {
  collect();
  return process.memoryUsage().heapUsed;
}
