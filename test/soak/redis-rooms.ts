/** 10,000 keys that are busy at once, and 20 workers that stand in line for them: [keys] [workers] */
import { busyKeys } from '../brokers/redis-rooms.js';
import { startRedis } from '../support/servers/index.js';

const [keys = '10000', workers = '20'] = process.argv.slice(2);
const redis = await startRedis();
const { ran, most, places, ms } = await busyKeys(redis.url, { keys: Number(keys), workers: Number(workers) });
await redis.stop();
console.log(
  `${keys} keys, ${workers} workers: ${ran} tasks ran, ${places} to ${most} places, ${Math.round(ms)} ms`,
);
process.exitCode = ran === Number(keys) && places <= Number(workers) * 256 ? 0 : 1;
