import { Script } from '../../../redis/script.js';
import { ask, clock, steps } from './steps.js';

/**
 * A mutex in the layout that redis-py, redlock and redis-semaphore share: one text with a life, set where there is none,
 * whose value only its owner knows. It is taken away and prolonged by comparing that value.
 *
 * The value here is three lines: a JSON array of a mark, the id, the owner, the channel and the time of the claim; one of its
 * task and its message; the fencing token. What begins otherwise is somebody else's.
 *
 * Beside it is `fence`, the last token, which every claim raises. It lasts for some seconds and is then begun anew at the
 * time in microseconds, so its having gone lets no token fall. While a pause is in force, which is a key of its own, it is a
 * text: so a claim need not look for pauses, nor for the other layout, but finds that there is nothing to raise.
 */
const mutex = `
local ours = '["lk1",'

local function begins(text, with) return string.sub(text, 1, #with) == with end

-- What holds the key. A key that is no text is no lock: somebody keeps something else there.
local function holderOf(name)
  local value = redis.pcall('GET', name)
  if type(value) == 'table' then return nil, { 'foreign', value.err } end
  return value
end
`;

/** Claims one resource after the other. `otherwise`: what is done about one that is not free, or was not used lately. */
const claims = (keysEach: number, otherwise: string) => `
local call, pcall = redis.call, redis.pcall
local replies = {}
for i = 1, #KEYS / ${keysEach} do
  local k, value = ${keysEach} * (i - 1), ARGV[i + 1]
  local raised, token = pcall('INCR', KEYS[k + 2]), nil
  if type(raised) == 'number' and raised > 1000000000000000 then token = string.format('%.0f', raised) end
  if token and call('SET', KEYS[k + 1], value .. token, 'NX', 'PX', lease) then
    replies[i] = raised
  else
    ${otherwise}
  end
end
if #KEYS == ${keysEach} then return replies[1] end
return replies
`;

/** What a claim does where the key is held, or nobody has claimed it lately. */
const claiming = String.raw`
local function hold(q, token)
  return redis.call('SET', q.name, q.value .. token, 'NX', 'PX', lease) and token
end

-- The id in the first line; nothing in one that is not as it should be.
local function idIn(value)
  local isJson, words = pcall(cjson.decode, string.match(value, '^[^\n]*'))
  return isJson and words[2]
end

-- The message in the second line, or null.
local function messageIn(value) return cjson.decode(string.match(value, '\n([^\n]*)'))[2] end

local function begin(q, raised)
  if raised == 1 then redis.call('DEL', q.fence) end
  local paused = redis.call('PTTL', q.pause)
  if paused > 0 then return nil, { 'paused', paused } end
  if redis.call('EXISTS', q.state) == 1 then return nil, { 'layout' } end
  local token = tokenAfter(string.match(redis.call('GET', q.fence) or '', '%d+$'))
  redis.call('SET', q.fence, token, 'PX', idle)
  return token
end
`;

/**
 * KEYS  name fence pause state
 * ARGV  of all: lease
 *       value(up to the token)
 * reply TOKEN(a number: it was used lately) | busy LEFT(-1: for ever) OWN_UNTIL | paused LEFT | layout | foreign ERROR
 */
const entering = (redelivered: boolean) =>
  new Script(`
local lease, other = ARGV[1], nil

-- What most claims do without: it is made when it is needed.
local function more()
${steps}${ask}${clock}${mutex}${claiming}
local function busy(q, value)
  local left, own = redis.call('PTTL', q.name), ''
  if ${redelivered} and begins(value, ours) then
    local message = messageIn(q.value)
    if message ~= cjson.null and messageIn(value) == message then own = told(left) end
  end
  return { 'busy', left, own }
end

return function(q, token, raised)
  local value, refusal = holderOf(q.name)
  if value and begins(value, ours) and idIn(value) == idIn(q.value) then
    redis.call('PEXPIRE', q.name, lease)
    -- A counter that had gone has come back by being raised, and would stay for ever.
    if raised == 1 then redis.call('DEL', q.fence) end
    return string.match(value, '%d+$')
  end
  if not token then
    local begun, refused = begin(q, raised)
    token, refusal = begun, refusal or refused
  end
  return refusal or value and busy(q, value) or hold(q, token)
end
end

${claims(
  4,
  `
    other = other or more()
    local q = { name = KEYS[k + 1], fence = KEYS[k + 2], pause = KEYS[k + 3], state = KEYS[k + 4], value = value }
    replies[i] = other(q, token, raised)`,
)}`);

export const enterString = entering(false);

/**
 * The same for a key that is free and was used lately. A counter that comes back by being raised is not left behind.
 *
 * KEYS  name fence
 */
export const enterStringQuick = new Script(
  `
local lease = ARGV[1]
${claims(
  2,
  `
    if raised == 1 then call('DEL', KEYS[k + 2]) end
    replies[i] = false`,
)}`,
  { keys: 2, whole: enterString },
);

/** The same for messages that were delivered before, whose earlier runs are looked for. */
export const enterStringAgain = entering(true);

/**
 * KEYS  name
 * ARGV  begin(of the value, up to the id) lease serves(or nothing)
 * reply 1 kept, 0 lost
 */
export const renewString = new Script(String.raw`${steps}${mutex}
return forEach(function()
  local name, begin, lease, serves = key(), arg(), arg(), arg()
  local value = holderOf(name)
  if not value or not begins(value, begin) then return 0 end
  if serves == '' then
    redis.call('PEXPIRE', name, lease)
  else
    local first, token = string.match(value, '^([^\n]*\n)[^\n]*(\n%d+)$')
    redis.call('SET', name, first .. serves .. token, 'PX', lease)
  end
  return 1
end)
`);

/**
 * KEYS  name
 * ARGV  begin(of the value, up to the id)
 * reply 1 it was held, 0 it was not
 */
export const exitString = new Script(`
local replies = {}
for i = 1, #KEYS do
  local value, begin = redis.pcall('GET', KEYS[i]), ARGV[i]
  replies[i] = type(value) == 'string' and string.sub(value, 1, #begin) == begin and redis.call('DEL', KEYS[i]) or 0
end
return #KEYS == 1 and replies[1] or replies
`);

/**
 * Takes it from whoever has it, also from another program: of that, the id is the value.
 *
 * KEYS  name
 * ARGV  begin(of the value, up to the id) id
 * reply 1 it was held, 0 it was not
 */
export const evictString = new Script(String.raw`${steps}${mutex}
return forEach(function()
  local name, begin, id = key(), arg(), arg()
  local value = holderOf(name)
  local own = value and begins(value, begin)
  if not own and value ~= id then return 0 end
  redis.call('DEL', name)
  if own then redis.call('PUBLISH', cjson.decode(string.match(value, '^[^\n]*'))[4], id) end
  return 1
end)
`);

/**
 * Changes nothing.
 *
 * KEYS  name pause
 * reply NOW VALUE(or nothing) LEFT PAUSE(its reason) PAUSE_LEFT
 */
export const inspectString = new Script(`${steps}${ask}${clock}${mutex}
return forEach(function()
  local name, pause = key(), key()
  return { string.format('%.3f', now), holderOf(name) or '', redis.call('PTTL', name), redis.call('GET', pause) or '',
    redis.call('PTTL', pause) }
end)
`);

/**
 * Grants nothing for so long, to us. 0 ends a pause.
 *
 * KEYS  fence pause
 * ARGV  ms reason
 * reply 1
 */
export const pauseString = new Script(`${steps}
return forEach(function()
  local fence, pause, ms, reason = key(), key(), tonumber(arg()), arg()
  local last = string.match(redis.call('GET', fence) or '', '%d+$')
  if last then redis.call('SET', fence, (ms > 0 and 'paused ' or '') .. last, 'PX', idle) end
  if ms > 0 then redis.call('SET', pause, reason, 'PX', ms) else redis.call('DEL', pause) end
  return 1
end)
`);
