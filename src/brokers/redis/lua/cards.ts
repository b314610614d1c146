/**
 * What the scripts share: each part is a step within a script, and so within one atomic step of the server. They keep one
 * invariant: a message that is not settled is in exactly one place. In the stream it waits, or is pending for one worker;
 * as a card it is in `ready`, in `due` or `parked` (or both: a parked one with a deadline), or in `hands`.
 */

/** Server time in milliseconds. Nobody else's clock counts. */
export const now = `
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end`;

/** The place in publish order of the last message that went to the stream. */
export const lastEntry = `
local function lastEntry()
  local found = redis.pcall('XINFO', 'STREAM', stream)
  for i = 1, #found, 2 do if found[i] == 'last-generated-id' then return tonumber(string.match(found[i + 1], '^%d+')) end end
  return 0
end`;

/** Places in publish order for so many messages; the first of them. */
export const mint = `
local function mint(count)
  local time = redis.call('TIME')
  local last = math.max(tonumber(redis.call('HGET', facts, 'last')) or 0, lastEntry())
  local first = math.max(time[1] * 1000000 + time[2], last + 1)
  redis.call('HSET', facts, 'last', string.format('%.0f', first + count - 1))
  return first
end`;

/** Wakes one idle worker. One that nobody hears as is dead, or will look by itself when it hears again. */
export const wake = `
local function wake()
  while true do
    local worker = redis.call('ZPOPMIN', idle)[1]
    if not worker then return end
    local heard = redis.call('PUBLISH', idle .. ':' .. worker, '')
    -- In a cluster that only counts those who listen on the same node.
    if heard > 0 or cluster and redis.call('ZSCORE', alive, worker) then return end
  end
end`;

/** Cards, and which of them are ready. */
export const cards = `
local function write(uid, losses, rank, room, weight, text)
  redis.call('HSET', cards, uid, losses .. ' ' .. rank .. ' ' .. room .. ' ' .. weight .. ' ' .. text)
end
local function read(uid)
  local card = redis.call('HGET', cards, uid)
  if not card then return end
  local losses, rank, room, weight, text = string.match(card, '^(%d+) (%d+) (%d+) (%d+) ()')
  return tonumber(losses), rank, room, weight, string.sub(card, text)
end
local function forget(uid)
  redis.call('HDEL', cards, uid)
  if string.find(uid, '\\0', 1, true) then redis.call('ZREM', twins, uid) end
end
local function uidFor(id, order)
  if redis.call('HEXISTS', cards, id) == 0 then return id end
  local uid = id .. '\\0' .. order
  redis.call('ZADD', twins, 0, uid)
  return uid
end
local function makeReady(uid, rank)
  redis.call('ZADD', ready, 0, rank .. uid)
end
local function uidOf(handle)
  return string.sub(handle, string.find(handle, ':', 1, true) + 1)
end`;

/** Whether an id is revoked. */
export const revocation = `
local function isRevoked(id, time)
  if redis.call('EXISTS', revoked) == 0 then return false end
  local until_ = redis.call('ZSCORE', revoked, id)
  return until_ ~= false and tonumber(until_) > time
end
local function idOf(uid)
  if redis.call('ZSCORE', twins, uid) then return string.match(uid, '^(.*)%z%d+$') end
  return uid
end
local function idIn(text)
  local ok, message = pcall(cjson.decode, text)
  if ok and type(message) == 'table' and type(message.id) == 'string' then return message.id, message end
  return ''
end`;
