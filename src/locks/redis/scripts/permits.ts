import { Script } from '../../../redis/script.js';
import { crowd, lone, texts } from './resource.js';
import { ask, clock, steps } from './steps.js';

/**
 * Claims one resource after the other. `otherwise`: what is done about one that is not free, or was not used lately, or of
 * which there is more to say.
 */
const tries = (keysEach: number, otherwise: string) => String.raw`
${ask}
local micros = time[2]
if #micros < 6 then micros = string.sub('00000' .. micros, -6) end
local now = time[1] .. micros
local begin = '1 h ' .. now .. ' ' .. now .. ' ' .. now .. ' ' .. ARGV[1] .. '\n'
local replies = {}
for i = 1, #ARGV - 3 do
  local k, question = ${keysEach} * (i - 1), ARGV[i + 3]
  local text = redis.pcall('GET', KEYS[k + 1])
  local isIdle = type(text) == 'string' and string.sub(text, 1, 4) == '1 i '
  if isIdle and string.sub(text, 5) < now and string.byte(question) == 91 then
    redis.call('SET', KEYS[k + 1], begin .. question, 'PX', ARGV[2])
    replies[i] = tonumber(now)
  else
    ${otherwise}
  end
end
if #KEYS == ${keysEach} then return replies[1] end
return replies
`;

/**
 * A claim is granted only when nobody stands ahead of it, and its weight and those of all holders together are within the
 * capacity in force. Asking again with the same id gives the same permit with a fresh lease, so a lost reply is mended by
 * the next question.
 *
 * KEYS  state ends line fence shared
 * ARGV  of all: terms(lease, weight, capacity, channel; in a second line the owner) life(of a text: the lease and 3 s)
 *       placeLife(0: it does not wait)
 *       serves and id of the claim, in lines; or * and a JSON array of id, message(if redelivered) and serves of each claim
 * reply TOKEN(a number: it was used lately) | granted CAPACITY ALSO_DECLARED TOKEN… | queued AHEAD RETRY_AFTER |
 *       busy RETRY_AFTER OWN_UNTIL | heavy CAPACITY | layout | version VERSION
 */
export const enter = new Script(String.raw`
-- What a claim on a resource that was used lately, and is free, does without: it is made when it is needed.
local function more(time)
${steps}${clock}${texts}${lone}
local lease, weight, capacity, channel, owner = string.match(ARGV[1], '^(%d+) (%d+) (%d+) ([^\n]*)\n(.*)$')
lease, weight, capacity = tonumber(lease), tonumber(weight), tonumber(capacity)

local function claimsIn(text)
  local serves, id = string.match(text, '^([^*][^\n]*)\n(.*)$')
  if id then return { { id = id, message = '', serves = serves } } end
  local all, claims = cjson.decode(string.sub(text, 2)), {}
  for i = 1, #all, 3 do claims[#claims + 1] = { id = all[i], message = all[i + 1], serves = all[i + 2] } end
  return claims
end

local function questionAt(k, text)
  return { state = KEYS[k + 1], ends = KEYS[k + 2], line = KEYS[k + 3], fence = KEYS[k + 4], shared = KEYS[k + 5],
    weight = weight, capacity = capacity, lease = lease, placeLife = tonumber(ARGV[3]),
    mayWait = ARGV[3] ~= '0', channel = channel, owner = owner, claims = claimsIn(text) }
end

-- Whether it is held in the layout 'string', or was lately.
local function isShared(q)
  local value = redis.pcall('GET', q.shared)
  return redis.call('EXISTS', q.fence) == 1 or type(value) == 'string' and string.sub(value, 1, 7) == '["lk1",'
end

-- Where nobody holds anything, or one that leaves no room, or the same claim.
local function enterAlone(q, text)
  if #q.claims > 1 and 2 * q.weight <= q.capacity then return nil end
  local l, claim = loneOf(text), q.claims[1]
  if l and l.capacity ~= q.capacity then return nil end
  if l and l.id ~= claim.id then
    if q.mayWait or claim.message ~= '' or q.weight > q.capacity or l.weight + q.weight <= q.capacity then return nil end
    return { 'busy', told(l.ends - now), '' }
  end
  if not l then
    if q.weight > q.capacity then return { 'heavy', q.capacity } end
    l = { token = tokenAfter(tokenIn(text)), since = micros, weight = q.weight, capacity = q.capacity, channel = q.channel,
      owner = q.owner, serves = claim.serves, id = claim.id }
  end
  writeLone(q.state, l, q.lease)
  return l.token
end

local function crowded()
${crowd}
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
  local claims = redis.call('ZRANGE', r.ends, 0, -1, 'WITHSCORES')
  for i = 1, #claims, 2 do
    local serves = string.match(recordOf(r, claims[i]) or '', '^h .*\n(.-)$')
    if serves and cjson.decode(serves)[2] == claim.message then last = tonumber(claims[i + 1]) end
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

local function grant(r, claim, isPlace, q)
  r.token, r.used, r.granted = tokenAfter(r.token), r.used + q.weight, true
  if isPlace then redis.call('ZREM', r.line, claim.id) end
  lasts(r, claim.id, q.lease)
  put(r, 'token', r.token)
  put(r, ':' .. claim.id, 'h ' .. whole(q.weight) .. ' ' .. r.token .. ' ' .. math.floor(now) .. ' ' .. q.channel .. '\n'
    .. q.owner .. '\n' .. claim.serves)
  return r.token
end

local function queue(r, claim, q)
  local record = recordOf(r, claim.id)
  local since = string.match(record or '', '^p %d+ %d+ (%d+)') or math.floor(now)
  if not record then redis.call('ZADD', r.line, redis.call('HINCRBY', r.state, 'ticket', 1), claim.id) end
  lasts(r, claim.id, q.placeLife)
  put(r, ':' .. claim.id, 'p ' .. whole(q.weight) .. ' ' .. whole(q.capacity) .. ' ' .. since .. ' ' .. q.channel .. '\n'
    .. q.owner .. '\n' .. claim.serves)
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

return function(q)
  local r = open(q.state, q.ends, q.line)
  if r.wrong then return r.wrong end
  local inForce, alsoDeclared, head = r.override or q.capacity, declare(r, q.capacity), headOf(r)
  local reply = { 'granted', inForce, alsoDeclared }
  for _, claim in ipairs(q.claims) do
    local record = recordOf(r, claim.id)
    local token = heldAgain(r, claim, record, q.lease)
    local isFirst = not head or head == claim.id
    if not token and isFirst and fits(r, q.weight, q.capacity) and not endOfEarlierRun(r, claim) then
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
  if q.mayWait and q.weight <= inForce and not earlierRun then return queue(r, first, q) end
  return refuse(r, q, earlierRun, inForce)
end
end

local enterCrowd
return function(k, text, question)
  local q, hash = questionAt(k, question), type(text) == 'table'
  if hash then text = nil end
  local wrong = wrongVersion(text)
  if wrong then return wrong end
  if not text and not hash and isShared(q) then return { 'layout' } end
  local reply = not hash and enterAlone(q, text)
  if reply then return reply end
  enterCrowd = enterCrowd or crowded()
  return enterCrowd(q)
end
end

local other
${tries(
  5,
  `
    other = other or more(time)
    replies[i] = other(k, text, question)`,
)}`);

/**
 * The same for a resource that is free and was used lately.
 *
 * KEYS  state
 */
export const enterQuick = new Script(tries(1, 'replies[i] = false'), { keys: 1, whole: enter });

/**
 * A permit that has lapsed is lost for good: no renewal makes it anew.
 *
 * KEYS  state ends line
 * ARGV  id lease serves(or nothing)
 * reply 1 kept, 0 lost | version VERSION
 */
export const renew = new Script(String.raw`${steps}${ask}${clock}${texts}${lone}
local function renewAlone(state, text, id, lease, serves)
  local l = loneOf(text)
  if not l or l.id ~= id then return 0 end
  if serves ~= '' then l.serves = serves end
  writeLone(state, l, lease)
  return 1
end

local function crowded()
${crowd}
return function(state, ends, line, id, lease, serves)
  local r = open(state, ends, line)
  if r.wrong then return r.wrong end
  local record = recordOf(r, id)
  local held = string.sub(record or '', 1, 1) == 'h'
  if held then
    lasts(r, id, lease)
    if serves ~= '' then put(r, ':' .. id, string.match(record, '^.-\n.-\n') .. serves) end
  end
  close(r)
  return held and 1 or 0
end
end

local renewCrowd
return forEach(function()
  local state, ends, line, id, lease, serves = key(), key(), key(), arg(), tonumber(arg()), arg()
  local text, hash = textOf(state)
  local wrong = wrongVersion(text)
  if wrong then return wrong end
  if not hash then return renewAlone(state, text, id, lease, serves) end
  renewCrowd = renewCrowd or crowded()
  return renewCrowd(state, ends, line, id, lease, serves)
end)
`);
