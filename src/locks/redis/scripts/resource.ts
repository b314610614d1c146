/**
 * A resource in the layout `native`, version 1.
 *
 * Most locks are held once and waited for by nobody, or free. Then the key `state` is a text, which costs one command to
 * read and one to write:
 *
 *     1 h TOKEN SINCE BEGUN LEASE WEIGHT CAPACITY CHANNEL       or, free and used lately:  1 i TOKEN
 *     the owner, as JSON
 *     the task and the message, as JSON
 *     the id
 *
 * SINCE and BEGUN, when its lease began, are in microseconds, and LEASE in milliseconds. With more to say it is a hash,
 * which has fields of its own, and one for each claim, `:ID`:
 *
 *     h WEIGHT TOKEN SINCE CHANNEL       or, of a place:  p WEIGHT CAPACITY SINCE CHANNEL
 *     the owner, as JSON
 *     the task and the message, as JSON
 *
 * Then `ends` has every claim by when it ends, and `line` the places by their tickets. A script is one step: nobody sees
 * what is in between, and one that the server is killed in has not been.
 */

/** Reads the text. */
export const texts = `
-- The text, or nothing; and whether it is a hash.
local function textOf(state)
  local text = redis.pcall('GET', state)
  if type(text) == 'table' then return nil, true end
  return text, false
end

-- An answer, when the text is of a version that is not known.
local function wrongVersion(text)
  local version = text and string.match(text, '^%S+')
  return version and version ~= '1' and { 'version', version } or nil
end

local function writeIdle(state, token)
  redis.call('SET', state, '1 i ' .. token, 'PX', idle)
end
`;

/** Writes it. Needs the clock. */
export const lone = String.raw`
local function loneOf(text)
  local token, since, begun, lease, weight, capacity, channel, owner, serves, id =
    string.match(text or '', '^1 h (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%S+)\n([^\n]*)\n([^\n]*)\n(.*)$')
  local ends = token and begun / 1000 + lease
  if not token or ends <= now then return nil end
  return { token = token, since = since, ends = ends, weight = tonumber(weight), capacity = tonumber(capacity),
    channel = channel, owner = owner, serves = serves, id = id }
end

local function writeLone(state, l, lease)
  lease = math.ceil(lease)
  redis.call('SET', state, '1 h ' .. l.token .. ' ' .. l.since .. ' ' .. micros .. ' ' .. whole(lease) .. ' '
    .. whole(l.weight) .. ' ' .. whole(l.capacity) .. ' ' .. l.channel .. '\n' .. l.owner .. '\n' .. l.serves .. '\n'
    .. l.id, 'PX', lease + idle)
end

-- The last token of a resource that is held by nobody.
local function tokenIn(text)
  return string.match(text or '', '^1 %a (%d+)')
end
`;

/**
 * The rest: whoever opens a resource makes a hash of the text, and drops what has lapsed; whoever closes it writes what has
 * changed, makes the keys last as long as what is in them, and wakes the first in line if it fits.
 *
 * Goes into a function that is called when it is needed, for most steps do without.
 */
export const crowd = String.raw`
local forever = 9e15

local function put(r, field, value)
  r.writes[#r.writes + 1] = field
  r.writes[#r.writes + 1] = value
end

local function recordOf(r, id)
  return r.known and redis.call('HGET', r.state, ':' .. id)
end

local function drop(r, id, record)
  redis.call('ZREM', r.ends, id)
  if not record then return end
  local kind, weight = string.match(record, '^(%a) (%d+)')
  if kind == 'h' then r.used = r.used - weight else redis.call('ZREM', r.line, id) end
  redis.call('HDEL', r.state, ':' .. id)
  r.dropped = true
end

local function spread(r, text)
  r.token = tokenIn(text)
  redis.call('DEL', r.state)
  local l = loneOf(text)
  if not l then return false end
  local since = string.sub(l.since, 1, -4)
  redis.call('HSET', r.state, 'version', '1', 'used', l.weight, 'token', l.token, 'declared', l.capacity, 'declaredAt', since,
    ':' .. l.id, 'h ' .. whole(l.weight) .. ' ' .. l.token .. ' ' .. since .. ' ' .. l.channel .. '\n' .. l.owner .. '\n'
    .. l.serves)
  redis.call('ZADD', r.ends, l.ends, l.id)
  r.last = l.ends
  return true
end

local function ahead(text)
  local at = tonumber(text)
  return at and at > now and at or nil
end

local function open(state, ends, line)
  local r = { state = state, ends = ends, line = line, writes = {}, last = 0, used = 0, kept = 0 }
  local text, hash = textOf(state)
  r.wrong = wrongVersion(text)
  if r.wrong then return r end
  r.known = hash or text and spread(r, text)
  if not r.known then return r end
  local f = redis.call('HMGET', state, 'version', 'used', 'token', 'keptUntil', 'pausedUntil', 'capacity', 'capacityUntil',
    'declared', 'declaredAt', 'before', 'beforeAt')
  r.wrong = wrongVersion(f[1])
  if r.wrong then return r end
  r.used, r.token, r.kept = tonumber(f[2]) or 0, f[3], tonumber(f[4]) or 0
  r.paused, r.override, r.overrideUntil = ahead(f[5]), tonumber(f[6]), ahead(f[7])
  if f[7] and not r.overrideUntil then r.override = nil end
  r.declared, r.declaredAt, r.before, r.beforeAt = tonumber(f[8]), tonumber(f[9]), tonumber(f[10]), tonumber(f[11])
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', now)) do drop(r, id, recordOf(r, id)) end
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

-- From now on the claim lasts so long, unless it is renewed.
local function lasts(r, id, ms)
  redis.call('ZADD', r.ends, now + ms, id)
  r.last = math.max(r.last, now + ms)
  r.alive = true
end

-- All keys of a resource last equally long, so that none goes while another still counts on it: as long as there is a
-- claim or an order. Twice as long as that takes now, so that not every renewal has to prolong them.
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

local function isEmpty(r)
  if r.alive or r.known and not r.dropped then return false end
  return redis.call('EXISTS', r.ends) == 0
end

local function close(r)
  local empty = isEmpty(r)
  if empty and not r.override and not r.paused then
    if r.known then redis.call('DEL', r.state) end
    if r.token then writeIdle(r.state, r.token) end
    return
  end
  if r.last > r.kept then prolong(r, r.last) elseif empty or r.ordered then prolong(r, lastOf(r)) end
  if r.dropped or r.granted then put(r, 'used', r.used) end
  if #r.writes > 0 then redis.call('HSET', r.state, 'version', '1', unpack(r.writes)) end
  if r.prolonged then expire(r, r.state) end
  if r.prolonged or r.last > 0 then expire(r, r.ends) end
  if r.prolonged or r.queued then expire(r, r.line) end
  if r.dropped or r.granted or r.ordered then wake(r) end
end
`;
