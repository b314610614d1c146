import { type KindName, kinds } from './kinds.js';

/** Starts servers of the kinds it is told, and waits to be killed. */
const names = process.argv.slice(2) as KindName[];
await Promise.all(names.map((name) => kinds[name].start()));
console.log('started');
process.stdin.resume();
