import { steps } from './steps.js';

/**
 * A resource in the layout `native`, version 1.
 *
 * The hash `state` has fields of its own, and one for each claim, `:ID`, with three lines:
 *
 *     h WEIGHT TOKEN SINCE CHANNEL       or, of a place:  p WEIGHT CAPACITY SINCE CHANNEL
 *     the owner, as JSON
 *     the task and the message, as JSON
 *
 * `ends` has every claim by when it ends, `line` the places by their tickets. Whoever opens a resource drops what has
 * lapsed first; whoever closes it writes what has changed, makes the keys last as long as what is in them, and wakes the
 * first in line if it fits. A script is one step, so nobody sees what is in between, and one that the server is killed in
 * has not been.
 */
export const resource = `${steps}
local function put(r, field, value)
  r.writes[#r.writes + 1] = field
  r.writes[#r.writes + 1] = value
end

local function drop(r, id, record)
  redis.call('ZREM', r.ends, id)
  if not record then return end
  local kind, weight = string.match(record, '^(%a) (%d+)')
  if kind == 'h' then r.used = r.used - weight else redis.call('ZREM', r.line, id) end
  redis.call('HDEL', r.state, ':' .. id)
  r.dropped = true
end

local function recordOf(r, id)
  return r.known and redis.call('HGET', r.state, ':' .. id)
end

local function ahead(text)
  local at = tonumber(text)
  return at and at > now and at or nil
end

local function open()
  local r = { state = key(), ends = key(), line = key(), writes = {}, last = 0 }
  local f = redis.call('HMGET', r.state, 'version', 'layout', 'used', 'token', 'keptUntil', 'pausedUntil',
    'capacity', 'capacityUntil', 'declared', 'declaredAt', 'before', 'beforeAt')
  r.known, r.layout, r.used, r.token, r.kept = f[1], f[2], tonumber(f[3]) or 0, f[4], tonumber(f[5]) or 0
  r.paused, r.override, r.overrideUntil = ahead(f[6]), tonumber(f[7]), ahead(f[8])
  if f[8] and not r.overrideUntil then r.override = nil end
  r.declared, r.declaredAt, r.before, r.beforeAt = tonumber(f[9]), tonumber(f[10]), tonumber(f[11]), tonumber(f[12])
  if not r.known then return r end
  if r.known ~= '1' then
    r.wrong = { 'version', r.known }
    return r
  end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', r.ends, '-inf', now)) do drop(r, id, recordOf(r, id)) end
  return r
end

local function headOf(r)
  return r.known and redis.call('ZRANGE', r.line, 0, 0)[1]
end

local function fits(r, weight, capacity)
  return not r.paused and r.used + weight <= (r.override or capacity)
end

local function wake(r)
  local head = headOf(r)
  if not head then return end
  local weight, capacity, channel = string.match(recordOf(r, head), '^p (%d+) (%d+) %d+ (%S+)')
  if fits(r, tonumber(weight), tonumber(capacity)) then redis.call('PUBLISH', channel, head) end
end

-- From now on the claim lasts so long, until it is renewed.
local function lasts(r, id, ms)
  redis.call('ZADD', r.ends, now + ms, id)
  r.last = math.max(r.last, now + ms)
end

local forever = 9e15

-- All keys of a resource last equally long, so that none goes while another still counts on it: as long as there is a
-- claim, or an order. Twice as long as that takes now, so that not every renewal has to prolong it.
local function prolong(r, last)
  local ordered = math.max(r.override and (r.overrideUntil or forever) or 0, r.paused or 0)
  r.kept = math.min(forever, math.ceil(math.max(2 * last - now, ordered, now + idle)))
  r.prolonged = true
  put(r, 'keptUntil', r.kept)
end

local function expire(r, name)
  if r.kept == forever then redis.call('PERSIST', name) else redis.call('PEXPIREAT', name, r.kept) end
end

local function lastOf(r)
  return tonumber(redis.call('ZRANGE', r.ends, -1, -1, 'WITHSCORES')[2]) or now
end

local function close(r)
  if r.last > r.kept then
    prolong(r, r.last)
  elseif r.ordered or (r.dropped and redis.call('EXISTS', r.ends) == 0) then
    prolong(r, lastOf(r))
  end
  if r.dropped or r.granted then put(r, 'used', r.used) end
  if #r.writes > 0 then redis.call('HSET', r.state, 'version', '1', unpack(r.writes)) end
  if r.prolonged then expire(r, r.state) end
  if r.prolonged or r.last > 0 then expire(r, r.ends) end
  if r.known and (r.prolonged or r.queued) then expire(r, r.line) end
  if r.dropped or r.granted or r.ordered then wake(r) end
end
`;
