import { now } from '../lua/cards.js';
import { waiting } from '../lua/waiting.js';
import { Step } from './step.js';

/** A room: resource, weight of the first, capacity, countdown. One that a purge has emptied is none. */
const describe = `
local function describe(found, resource)
  local record = redis.call('HGET', room, 'r' .. resource) or ''
  local number, capacity, countdown = string.match(record, '^(%d+) (%S+) (%S+)$')
  local first = number and firstIn(number)
  if not first then return end
  found[#found + 1] = resource
  found[#found + 1] = string.match(first, '^%d+:%d+:(%d+):')
  found[#found + 1] = capacity
  found[#found + 1] = countdown
  return countdown
end`;

/** Rooms that one step describes, at most: others have their turn in between. */
export const part = 1_000;

/** from which room on → how many there were, then what describes each of them, one after the other */
export const list = new Step(
  waiting,
  describe,
  `
local from = tonumber(ARGV[1])
local resources = redis.call('ZRANGE', rooms, from, from + ${part} - 1)
local found = { #resources }
for _, resource in ipairs(resources) do describe(found, resource) end
return found`,
);

/** → ms until the next is untended, then as `list` those that are, up to a part; they are tended now */
export const orphans = new Step(
  now,
  waiting,
  describe,
  `
local time = now()
local found = {}
for _, resource in ipairs(redis.call('ZRANGEBYSCORE', rooms, '-inf', time, 'LIMIT', 0, ${part})) do
  local countdown = describe(found, resource)
  if countdown then redis.call('ZADD', rooms, time + countdown, resource)
  else redis.call('ZREM', rooms, resource) end
end
local first = redis.call('ZRANGE', rooms, 0, 0, 'WITHSCORES')
table.insert(found, 1, #first == 0 and -1 or math.max(0, tonumber(first[2]) - time))
return found`,
);

/** resources */
export const attend = new Step(
  now,
  `
local time = now()
for _, resource in ipairs(ARGV) do
  local record = redis.call('HGET', room, 'r' .. resource)
  if record then redis.call('ZADD', rooms, 'XX', time + string.match(record, '%S+$'), resource) end
end
return {}`,
);
