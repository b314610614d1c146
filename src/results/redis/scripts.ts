import { Script } from '../../redis/script.js';
import { finalStatuses } from '../celery-meta.js';

/**
 * Keeps a state and tells of it, unless one is kept that is final. Safe to repeat.
 *
 * key; state, ms to keep it, channel → whether it is kept
 */
export const put = new Script(`
local final = { ${finalStatuses.map((status) => `${status} = true`).join(', ')} }
local kept = redis.call('GET', KEYS[1])
if kept then
  -- It comes first wherever it was written; else the whole is read.
  local status = string.match(kept, '^{"status": ?"(%u+)"')
  if not status then
    local ok, meta = pcall(cjson.decode, kept)
    status = ok and type(meta) == 'table' and meta.status or ''
  end
  if final[status] then return kept == ARGV[1] and 1 or 0 end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('PUBLISH', ARGV[3], ARGV[1])
return 1`);

/**
 * Adds a part to a group: the field of its index, until all are there. Whoever completes it leaves its token, so that it
 * gets the parts again when it did not hear the answer.
 *
 * key; size, index, part, ms to keep it, token → the parts, when this completes it
 */
export const join = new Script(`
local size, token = tonumber(ARGV[1]), redis.call('HGET', KEYS[1], 'token')
if not token then
  if redis.call('HSETNX', KEYS[1], ARGV[2], ARGV[3]) == 0 then return false end
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  if redis.call('HLEN', KEYS[1]) < size then return false end
  redis.call('HSET', KEYS[1], 'token', ARGV[5])
elseif token ~= ARGV[5] then
  return false
end
local parts = {}
for index = 1, size do parts[index] = redis.call('HGET', KEYS[1], index - 1) end
return parts`);
