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

/** Entries of the stream are done, failed or skipped: most ends are this, so it comes first, and by itself. */
export const endEntries = `
local function endEntries(at)
  if ARGV[at] ~= 'e' then return at end
  local ids = {}
  for id in string.gmatch(ARGV[at + 1], '%S+') do ids[#ids + 1] = id end
  redis.call('XACK', stream, 'w', unpack(ids))
  redis.call('XDEL', stream, unpack(ids))
  return at + 2
end`;

/** The same for a card: so most of those end that were taken from a room. */
export const endCard = `
local function endCard(at)
  if ARGV[at] ~= 'd' then return at end
  local handle = ARGV[at + 1]
  if redis.call('ZREM', hands, handle) == 1 then
    local uid = string.sub(handle, string.find(handle, ':', 1, true) + 1)
    redis.call('HDEL', cards, uid)
    if string.find(uid, '\\0', 1, true) then redis.call('ZREM', twins, uid) end
  end
  return at + 2
end`;

/**
 * Deliveries end. One that has ended already is passed over: whoever did not hear the answer says it again.
 *
 *     e handles                                   done, failed or skipped: entries of the stream; these come first
 *     d handle                                    the same for a card
 *     a handle reason                             set apart
 *     n handle id rank losses text after          again, so many ms from now
 *     p handle id rank losses text deadline
 *       resource weight capacity countdown        parked, until its deadline if that is not empty
 */
export const end = `
${endCard}
local becameReady, waits = false, false
-- Of the rooms that something was parked in: all of a call are often in one.
local known, attendedUntil = {}, {}

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
  local record = known[resource] or redis.call('HGET', room, 'r' .. resource)
  local number = record and string.match(record, '^%d+') or redis.call('HINCRBY', facts, 'rooms', 1)
  local place = placeOf(number, rank, weight, uid)
  local described = number .. ' ' .. capacity .. ' ' .. countdown
  if record ~= described then redis.call('HSET', room, 'r' .. resource, described, 'n' .. number, resource) end
  known[resource] = described
  write(uid, losses, rank, number, weight, text)
  redis.call('ZADD', parked, 0, place)
  attendedUntil[resource] = time + countdown
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
  d = function(at)
    endCard(at)
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

-- Tells in how many ms the next message is due, or -1 when that is what it was; and whether any message is ready now.
local function endAll(at, time)
  while ARGV[at] do at = at + ends[ARGV[at]](at, time) end
  for resource, untended in pairs(attendedUntil) do redis.call('ZADD', rooms, untended, resource) end
  return waits and nextDue(time) or -1, becameReady
end`;
