/**
 * What a worker gets into its hands, and how that ends. A handle names one delivery, and no other ever has it: the id of
 * an entry of the stream, or turn and uid of a card.
 */

/** A card comes into a worker's hands. */
export const take = `
local function take(me, turn, uid)
  local card = redis.call('HGET', cards, uid)
  if not card then return end
  local handle = turn .. ':' .. uid
  redis.call('ZADD', hands, me, handle)
  return handle, card
end`;

/**
 * Deliveries end. One that has ended already is passed over: whoever did not hear the answer says it again.
 *
 *     e handles                                   done, failed or skipped: entries of the stream
 *     d handle                                    the same for a card
 *     a handle reason                             set apart
 *     n handle id rank losses text after          again, so many ms from now
 *     p handle id rank losses text deadline
 *       resource weight capacity countdown        parked, until its deadline if that is not empty
 */
export const end = `
local becameReady, waits = false, false

local function isCard(handle)
  return string.find(handle, ':', 1, true)
end
local function takeBack(handle)
  if isCard(handle) then return redis.call('ZREM', hands, handle) == 1 end
  if redis.call('XACK', stream, 'w', handle) == 0 then return false end
  redis.call('XDEL', stream, handle)
  return true
end
local function setApart(handle, reason)
  local uid = isCard(handle) and uidOf(handle)
  local text = uid and select(5, read(uid)) or textOf(handle)
  if not takeBack(handle) or not text then return end
  if uid then forget(uid) end
  redis.call('XADD', aside, '*', 'r', reason, 't', text)
end
local function park(uid, rank, losses, text, deadline, at, time)
  local resource, weight, capacity, countdown = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local record = redis.call('HGET', room, 'r' .. resource)
  local number = record and string.match(record, '^%d+') or redis.call('HINCRBY', facts, 'rooms', 1)
  local place = placeOf(number, rank, weight, uid)
  local described = number .. ' ' .. capacity .. ' ' .. countdown
  if record ~= described then redis.call('HSET', room, 'r' .. resource, described, 'n' .. number, resource) end
  write(uid, losses, rank, number, weight, text)
  redis.call('ZADD', parked, 0, place)
  redis.call('ZADD', rooms, time + countdown, resource)
  if deadline ~= '' then redis.call('ZADD', due, deadline, place) end
  if record then return end
  redis.call('PUBLISH', rooms, cjson.encode({ room = { resource, weight, capacity, countdown } }))
end
local function again(at, time, wait)
  local handle, id, rank, losses, text = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4], ARGV[at + 5]
  if not takeBack(handle) then return end
  local uid = isCard(handle) and uidOf(handle) or uidFor(id, string.sub(rank, 2))
  if not isRevoked(id, time) and wait(uid, rank, losses, text, ARGV[at + 6]) then
    waits = true
    return
  end
  write(uid, losses, rank, 0, 0, text)
  makeReady(uid, rank)
  becameReady = true
end

local ends = {
  e = function(at)
    local ids = {}
    for id in string.gmatch(ARGV[at + 1], '%S+') do ids[#ids + 1] = id end
    redis.call('XACK', stream, 'w', unpack(ids))
    redis.call('XDEL', stream, unpack(ids))
    return 2
  end,
  d = function(at)
    local handle = ARGV[at + 1]
    if redis.call('ZREM', hands, handle) == 1 then forget(uidOf(handle)) end
    return 2
  end,
  a = function(at)
    setApart(ARGV[at + 1], ARGV[at + 2])
    return 3
  end,
  n = function(at, time)
    again(at, time, function(uid, rank, losses, text, after)
      if after == '0' then return false end
      delay(uid, rank, losses, text, time + after)
      return true
    end)
    return 7
  end,
  p = function(at, time)
    again(at, time, function(uid, rank, losses, text, deadline)
      if deadline ~= '' and tonumber(deadline) <= time then return false end
      park(uid, rank, losses, text, deadline, at + 7, time)
      return true
    end)
    return 11
  end,
}

-- Tells in how many ms the next message is due, or -1 when that is what it was.
local function endAll(at, time)
  while ARGV[at] do at = at + ends[ARGV[at]](at, time) end
  return waits and nextDue(time) or -1
end`;
