import { Script } from '../../../redis/script.js';
import { rates } from './rate.js';
import { crowd, lone, texts } from './resource.js';
import { clock, steps } from './steps.js';

/**
 * Gives back a permit, a place or a booking. What is not there is no error.
 *
 * KEYS  state ends line rate charges
 * ARGV  id
 * reply 1 there was one, 0 there was none | version VERSION
 */
export const exit = new Script(String.raw`${steps}${texts}
local function more()
${clock}${lone}${crowd}${rates}
return function(hash, state, ends, line, marks, charges, id)
  if not hash then return refund(openRate(marks, charges), id) and 1 or 0 end
  local r = open(state, ends, line)
  if r.wrong then return r.wrong end
  local record = recordOf(r, id)
  if record then drop(r, id, record) end
  close(r)
  return (record or refund(openRate(marks, charges), id)) and 1 or 0
end
end

local exitOther
return forEach(function()
  local state, ends, line, marks, charges, id = key(), key(), key(), key(), key(), arg()
  local text, hash = textOf(state)
  local wrong = wrongVersion(text)
  if wrong then return wrong end
  local token, held = string.match(text or '', '^1 h %d+ (%d+) [^\n]*\n[^\n]*\n[^\n]*\n(.*)$')
  if held == id then
    writeIdle(state, token)
    return 1
  end
  exitOther = exitOther or more()
  return exitOther(hash, state, ends, line, marks, charges, id)
end)
`);

/**
 * Takes a permit, a place or a booking away, and tells whoever holds a permit.
 *
 * KEYS, ARGV and reply as of `exit`
 */
export const evict = new Script(`${steps}${clock}${texts}${lone}${crowd}${rates}
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
