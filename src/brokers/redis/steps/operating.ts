import { cards, now, revocation, wake } from '../lua/cards.js';
import { waiting } from '../lua/waiting.js';
import { Step } from './step.js';

/** Drops up to 1,000 of each place → how many; 0 when nothing is left */
export const purge = new Step(
  cards,
  `
local dropped = 0
local function drop(key, uidIn)
  for i, member in ipairs(redis.call('ZPOPMIN', key, 1000)) do
    if i % 2 == 1 then
      if key == parked then redis.call('ZREM', due, member) end
      forget(uidIn(member))
      dropped = dropped + 1
    end
  end
end
local function uidInPlace(place) return string.match(place, '^%d+:%d+:%d+:(.*)$') end
drop(ready, function(member) return string.sub(member, 18) end)
drop(parked, uidInPlace)
if redis.call('EXISTS', parked) == 0 then
  redis.call('DEL', rooms, room)
  drop(due, uidInPlace)
end
local groupFacts = redis.pcall('XINFO', 'GROUPS', stream)[1] or {}
local last = '0-0'
for i = 1, #groupFacts, 2 do if groupFacts[i] == 'last-delivered-id' then last = groupFacts[i + 1] end end
for _, entry in ipairs(redis.call('XRANGE', stream, '(' .. last, '+', 'COUNT', 1000)) do
  dropped = dropped + redis.call('XDEL', stream, entry[1])
end
return dropped`,
);

/** id, for how many ms that is remembered */
export const revoke = new Step(
  now,
  cards,
  revocation,
  waiting,
  wake,
  `
local id, life, time = ARGV[1], tonumber(ARGV[2]), now()
redis.call('ZREMRANGEBYSCORE', revoked, '-inf', time)
redis.call('ZADD', revoked, time + life, id)
redis.call('PEXPIRE', revoked, life)
local uids = redis.call('ZRANGEBYLEX', twins, '[' .. id .. '\\0', '(' .. id .. '\\1')
uids[#uids + 1] = id
local released = false
for _, uid in ipairs(uids) do
  local _, rank, number, weight = read(uid)
  local place = rank and placeOf(number, rank, weight, uid)
  if place and (redis.call('ZSCORE', due, place) or redis.call('ZSCORE', parked, place)) then
    release(place)
    released = true
  end
end
if released then wake() end
redis.call('PUBLISH', rooms, cjson.encode({ revoked = id }))
return {}`,
);

/** ids → those that are revoked */
export const revokedAmong = new Step(
  now,
  revocation,
  `
local time = now()
local found = {}
for _, id in ipairs(ARGV) do if isRevoked(id, time) then found[#found + 1] = id end end
return found`,
);
