import { Script } from '../../../redis/script.js';
import { steps } from './steps.js';

/**
 * A mutex in the layout that redis-py, redlock and redis-semaphore share: one text key with a life, set where there is none,
 * whose value only its owner knows. It is taken away and prolonged by comparing that value.
 *
 * The value here is two lines: a JSON array that begins with a mark, the id, the owner and the channel of the claim, then
 * one with its task and message. What begins otherwise is somebody else's. Beside it is the last fencing token, as a plain
 * number that others may raise too.
 */
const mutex = `${steps}
local ours = '["lk1",'

local function begins(text, with) return string.sub(text, 1, #with) == with end

-- What holds the key. A key that is no text is no lock: somebody keeps something else there.
local function holderOf(name)
  local value = redis.pcall('GET', name)
  if type(value) == 'table' then return nil, { 'foreign', value.err } end
  return value
end
`;

/**
 * KEYS  name fence state
 * ARGV  begin(of the value, to the end of the id) rest(of it) lease message(if redelivered)
 * reply granted TOKEN | busy LEFT(-1: for ever) OWN_UNTIL | layout | version VERSION | foreign ERROR
 */
export const enterString = new Script(String.raw`${mutex}
local function granted(fence, lease)
  local token = tokenAfter(redis.call('GET', fence))
  redis.call('SET', fence, token, 'PX', lease + idle)
  return { 'granted', token }
end

local function refused(name, value, message)
  local left, own = redis.call('PTTL', name), ''
  if message ~= '' and begins(value, ours) then
    local serves = string.match(value, '\n(.*)$')
    if cjson.decode(serves)[2] == message then own = told(left) end
  end
  return { 'busy', left, own }
end

return forEach(function()
  local name, fence, known = key(), key(), redis.call('HMGET', key(), 'version', 'layout', 'pausedUntil')
  local begin, rest, lease, message = arg(), arg(), number(), arg()
  if known[1] and known[1] ~= '1' then return { 'version', known[1] } end
  if known[2] == 'native' then return { 'layout' } end
  local paused = (tonumber(known[3]) or 0) - now
  if paused <= 0 and redis.call('SET', name, begin .. rest, 'NX', 'PX', lease) then
    return granted(fence, lease)
  end
  local value, wrong = holderOf(name)
  if wrong then return wrong end
  if not value then return { 'busy', math.ceil(paused), '' } end
  if begins(value, begin) then
    redis.call('PEXPIRE', name, lease)
    redis.call('PEXPIRE', fence, lease + idle)
    local token = redis.call('GET', fence)
    return token and { 'granted', token } or granted(fence, lease)
  end
  return refused(name, value, message)
end)
`);

/**
 * KEYS  name fence
 * ARGV  begin lease serves(or nothing)
 * reply 1 kept, 0 lost
 */
export const renewString = new Script(String.raw`${mutex}
return forEach(function()
  local name, fence, begin, lease, serves = key(), key(), arg(), number(), arg()
  local value = holderOf(name)
  if not value or not begins(value, begin) then return 0 end
  if serves == '' then
    redis.call('PEXPIRE', name, lease)
  else
    redis.call('SET', name, string.match(value, '^.-\n') .. serves, 'PX', lease)
  end
  redis.call('PEXPIRE', fence, lease + idle)
  return 1
end)
`);

/**
 * KEYS  name fence
 * ARGV  begin id
 * reply 1 there was one, 0 there was none
 */
export const exitString = new Script(`${mutex}
return forEach(function()
  local name, fence, begin, id = key(), key(), arg(), arg()
  local value = holderOf(name)
  if not value or not begins(value, begin) then return 0 end
  redis.call('DEL', name)
  redis.call('PEXPIRE', fence, idle)
  return 1
end)
`);

/**
 * Takes it from whoever has it, also from another program: of that, the id is the value.
 *
 * KEYS, ARGV and reply as of `exitString`
 */
export const evictString = new Script(String.raw`${mutex}
return forEach(function()
  local name, fence, begin, id = key(), key(), arg(), arg()
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
 * KEYS  name fence state
 * reply NOW VALUE(or nothing) LEFT FENCE(or nothing) STATE(field value …)
 */
export const inspectString = new Script(`${mutex}
return forEach(function()
  local name, fence, state = key(), key(), key()
  return { string.format('%.3f', now), holderOf(name) or '', redis.call('PTTL', name), redis.call('GET', fence) or '',
    redis.call('HGETALL', state) }
end)
`);
