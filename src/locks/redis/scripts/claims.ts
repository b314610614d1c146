import { Script } from '../../../redis/script.js';
import { rates } from './rate.js';
import { crowd, lone, texts } from './resource.js';
import { ask, clock, steps } from './steps.js';

/**
 * Gives back a permit, a place or a booking. What is not there is no error.
 *
 * KEYS  state ends line rate charges
 * ARGV  id
 * reply 1 there was one, 0 there was none | version VERSION
 */
export const exit = new Script(String.raw`
-- What it takes to give back something else than a permit that is held alone.
local function more()
${steps}${ask}${clock}${texts}${lone}${crowd}${rates}
return function(k, text, id)
  local wrong = wrongVersion(type(text) == 'string' and text)
  if wrong then return wrong end
  if type(text) ~= 'table' then return refund(openRate(KEYS[k + 3], KEYS[k + 4]), id) and 1 or 0 end
  local r = open(KEYS[k], KEYS[k + 1], KEYS[k + 2])
  if r.wrong then return r.wrong end
  local record = recordOf(r, id)
  if record then drop(r, id, record) end
  close(r)
  return (record or refund(openRate(KEYS[k + 3], KEYS[k + 4]), id)) and 1 or 0
end
end

local other
local replies = {}
for i, id in ipairs(ARGV) do
  local k = 5 * i - 4
  local text, token, held = redis.pcall('GET', KEYS[k]), nil, nil
  if type(text) == 'string' then
    token, held = string.match(text, '^1 h %d+ (%d+) [^\n]*\n[^\n]*\n[^\n]*\n(.*)$')
  end
  if held == id then
    redis.call('SET', KEYS[k], '1 i ' .. token, 'PX', 3000)
    replies[i] = 1
  else
    other = other or more()
    replies[i] = other(k, text, id)
  end
end
return replies
`);

/**
 * Takes a permit, a place or a booking away, and tells whoever holds a permit.
 *
 * KEYS, ARGV and reply as of `exit`
 */
export const evict = new Script(`${steps}${ask}${clock}${texts}${lone}${crowd}${rates}
return forEach(function()
  local r, marks, charges, id = open(key(), key(), key()), key(), key(), arg()
  if r.wrong then return r.wrong end
  local record = recordOf(r, id)
  if record then
    drop(r, id, record)
    local channel = string.match(record, '^h %d+ %d+ %d+ (%S+)')
    if channel then redis.call('PUBLISH', channel, id) end
  end
  close(r)
  return (record or evictBooking(openRate(marks, charges), id)) and 1 or 0
end)
`);
