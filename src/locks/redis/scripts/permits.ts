import { Script } from '../../../redis/script.js';
import { resource } from './resource.js';

/**
 * A claim is granted only when nobody stands ahead of it, and its weight and those of all holders together are within the
 * capacity in force. Asking again with the same id gives the same permit with a fresh lease, so a lost reply is mended by
 * the next question.
 *
 * KEYS  state ends line fence
 * ARGV  weight capacity lease placeLife line(1|0) channel owner claims, then of each claim: id message(if redelivered) serves
 * reply granted CAPACITY ALSO_DECLARED TOKEN… | queued AHEAD RETRY_AFTER | busy RETRY_AFTER OWN_UNTIL | heavy CAPACITY |
 *       layout | version VERSION
 */
export const enter = new Script(String.raw`${resource}
local function declare(r, capacity)
  if r.declared ~= capacity then
    if r.declared then
      put(r, 'before', r.declared)
      put(r, 'beforeAt', r.declaredAt)
      r.before, r.beforeAt = r.declared, r.declaredAt
    end
    put(r, 'declared', capacity)
    put(r, 'declaredAt', now)
  elseif now - r.declaredAt > 10000 then
    put(r, 'declaredAt', now)
  end
  return r.before and now - r.beforeAt < 60000 and r.before or ''
end

-- When the last permit ends that is held for the same message, by an earlier delivery of it.
local function endOfEarlierRun(r, claim)
  if claim.message == '' or not r.known then return nil end
  local last
  local holders = redis.call('ZRANGE', r.ends, 0, -1, 'WITHSCORES')
  for i = 1, #holders, 2 do
    local serves = string.match(recordOf(r, holders[i]) or '', '^h .*\n(.-)$')
    if serves and cjson.decode(serves)[2] == claim.message then last = tonumber(holders[i + 1]) end
  end
  return last
end

local function retryAfter(r)
  local first = tonumber(redis.call('ZRANGE', r.ends, 0, 0, 'WITHSCORES')[2])
  local at = math.min(first or math.huge, r.paused or math.huge, r.override and r.overrideUntil or math.huge)
  return at == math.huge and 1000 or told(at - now)
end

local function heldAgain(r, claim, record, lease)
  local token = string.match(record or '', '^h %d+ (%d+)')
  if token then lasts(r, claim.id, lease) end
  return token
end

local function grant(r, claim, record, q)
  r.token = tokenAfter(r.token)
  r.used = r.used + q.weight
  r.granted = true
  if record then redis.call('ZREM', r.line, claim.id) end
  lasts(r, claim.id, q.lease)
  put(r, 'token', r.token)
  put(r, ':' .. claim.id, string.format('h %d %s %.0f %s\n%s\n%s', q.weight, r.token, now, q.channel, q.owner, claim.serves))
  return r.token
end

local function queue(r, claim, q)
  local record = recordOf(r, claim.id)
  local since = record and string.match(record, '^p %d+ %d+ (%d+)') or string.format('%.0f', now)
  if not record then redis.call('ZADD', r.line, redis.call('HINCRBY', r.state, 'ticket', 1), claim.id) end
  lasts(r, claim.id, q.placeLife)
  put(r, ':' .. claim.id, string.format('p %d %d %s %s\n%s\n%s', q.weight, q.capacity, since, q.channel, q.owner, claim.serves))
  r.queued = true
  close(r)
  return { 'queued', redis.call('ZRANK', r.line, claim.id), retryAfter(r) }
end

local function refuse(r, q, earlierRun, inForce)
  for _, claim in ipairs(q.claims) do
    local record = recordOf(r, claim.id)
    if record and string.sub(record, 1, 1) == 'p' then drop(r, claim.id, record) end
  end
  close(r)
  if q.weight > inForce then return { 'heavy', inForce } end
  return { 'busy', retryAfter(r), earlierRun and told(earlierRun - now) or '' }
end

local function question()
  local q = { weight = number(), capacity = number(), lease = number(), placeLife = number(), line = arg() == '1',
    channel = arg(), owner = arg(), claims = {} }
  for i = 1, number() do q.claims[i] = { id = arg(), message = arg(), serves = arg() } end
  return q
end

return forEach(function()
  local r, fence, q = open(), key(), question()
  if r.wrong then return r.wrong end
  if r.layout ~= 'native' then
    if redis.call('EXISTS', fence) == 1 then return { 'layout' } end
    put(r, 'layout', 'native')
  end
  local inForce = r.override or q.capacity
  if not r.known and q.weight > inForce then return { 'heavy', inForce } end
  local alsoDeclared, head = declare(r, q.capacity), headOf(r)
  local reply = { 'granted', inForce, alsoDeclared }
  for _, claim in ipairs(q.claims) do
    local record = recordOf(r, claim.id)
    local token = heldAgain(r, claim, record, q.lease)
    if not token and (not head or head == claim.id) and fits(r, q.weight, q.capacity) and not endOfEarlierRun(r, claim) then
      token = grant(r, claim, record, q)
      if record then head = headOf(r) end
    end
    if not token then break end
    reply[#reply + 1] = token
  end
  if #reply > 3 then
    close(r)
    return reply
  end
  local first = q.claims[1]
  local earlierRun = endOfEarlierRun(r, first)
  if q.line and q.weight <= inForce and not earlierRun then return queue(r, first, q) end
  return refuse(r, q, earlierRun, inForce)
end)
`);

/**
 * A permit that has lapsed is lost for good: no renewal makes it anew.
 *
 * KEYS  state ends line
 * ARGV  id lease serves(or nothing)
 * reply 1 kept, 0 lost | version VERSION
 */
export const renew = new Script(String.raw`${resource}
return forEach(function()
  local r, id, lease, serves = open(), arg(), number(), arg()
  if r.wrong then return r.wrong end
  local record = recordOf(r, id)
  local held = record and string.sub(record, 1, 1) == 'h'
  if held then
    lasts(r, id, lease)
    if serves ~= '' then put(r, ':' .. id, string.match(record, '^.-\n.-\n') .. serves) end
  end
  close(r)
  return held and 1 or 0
end)
`);
