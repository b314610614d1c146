/** The place that comes first in a room. */
export const firstIn = `
local function firstIn(number)
  return redis.call('ZRANGEBYLEX', parked, '[' .. number .. ':', '(' .. number .. ';', 'LIMIT', 0, 1)[1]
end`;

/** A card leaves its room, which is none when it was the last. */
export const leave = `
local function leave(place)
  if redis.call('ZREM', parked, place) == 0 then return end
  local number = string.match(place, '^%d+')
  if firstIn(number) then return end
  local resource = redis.call('HGET', room, 'n' .. number)
  if not resource then return end
  redis.call('HDEL', room, 'n' .. number, 'r' .. resource)
  redis.call('ZREM', rooms, resource)
end`;

/** How a card comes to wait, in a room or until a time, and how that ends. */
export const waiting = `
${firstIn}
${leave}
local function placeOf(room, rank, weight, uid)
  return room .. ':' .. rank .. ':' .. weight .. ':' .. uid
end
local function release(place)
  redis.call('ZREM', due, place)
  leave(place)
  local rank, uid = string.match(place, '^%d+:(%d+):%d+:(.*)$')
  makeReady(uid, rank)
end
-- In how many ms the next is due: -1 for never.
local function nextDue(time)
  local first = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')
  return #first == 0 and -1 or math.max(0, tonumber(first[2]) - time)
end
local function delay(uid, rank, losses, text, at)
  write(uid, losses, rank, 0, 0, text)
  redis.call('ZADD', due, at, placeOf(0, rank, 0, uid))
end`;

/** Brings what has waited long enough to `ready`, and tells whether anything had. */
export const promote = `
local function promote(time)
  local places = redis.call('ZRANGEBYSCORE', due, '-inf', time, 'LIMIT', 0, 500)
  for _, place in ipairs(places) do release(place) end
  return #places > 0
end`;
