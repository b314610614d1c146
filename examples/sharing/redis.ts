/** Shares a lock with redis-py. Arguments: the URL of Redis. */
import { createLocks } from 'lockkeeper';

const locks = createLocks({
  coordinator: process.argv[2] ?? 'redis://localhost',
  resources: { 'nightly-report': { layout: 'string' } }, // the key of redis-py's Lock('nightly-report')
});

await locks.using('nightly-report', () => console.log('Node holds nightly-report'));
await locks.close();
