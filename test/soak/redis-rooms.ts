/** 10,000 keys that are busy at once, and 20 workers that stand in line for them */
import { readFlags } from '../../bench/support/flags.js';
import { busyKeys } from '../brokers/redis-rooms.js';
import { startRedis } from '../support/servers/index.js';

const { keys, workers } = readFlags('Keys that are busy at once, and workers that stand in line for them.', {
  keys: { default: 10_000, help: 'keys' },
  workers: { default: 20, help: 'workers' },
});
const redis = await startRedis();
const { ran, most, places, ms } = await busyKeys(redis.url, { keys, workers });
await redis.stop();
console.log(
  `${keys} keys, ${workers} workers: ${ran} tasks ran, ${places} to ${most} places, ${Math.round(ms)} ms`,
);
process.exitCode = ran === keys && places <= workers * 256 ? 0 : 1;
