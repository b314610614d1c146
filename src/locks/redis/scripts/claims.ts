import { Script } from '../../../redis/script.js';
import { rates } from './rate.js';
import { crowd, lone, texts } from './resource.js';
import { ask, clock, idle, steps } from './steps.js';

/** Gives back one after the other. `otherwise`: what is done about something else than a permit that is held alone. */
const exits = (keysEach: number, otherwise: string) => String.raw`
local replies = {}
for i = 1, #ARGV do
  local k, id = ${keysEach} * (i - 1), ARGV[i]
  local text, token = redis.pcall('GET', KEYS[k + 1]), nil
  if type(text) == 'string' and string.sub(text, -#id - 1) == '\n' .. id and not string.find(id, '\n', 1, true) then
    token = string.match(text, '^1 h (%d+)')
  end
  if token then
    redis.call('SET', KEYS[k + 1], '1 i ' .. token, 'PX', '${idle}')
    replies[i] = 1
  else
    ${otherwise}
  end
end
if #ARGV == 1 then return replies[1] end
return replies
`;

/**
 * Gives back a permit, a place or a booking. What is not there is no error.
 *
 * KEYS  state ends line rate charges
 * ARGV  id
 * reply 1 there was one, 0 there was none | version VERSION
 */
export const exit = new Script(`
-- What it takes to give back something else than a permit that is held alone.
local function more()
${steps}${ask}${clock}${texts}${lone}${crowd}${rates}
return function(k, text, id)
  local wrong = wrongVersion(type(text) == 'string' and text)
  if wrong then return wrong end
  if type(text) ~= 'table' then return refund(openRate(KEYS[k + 4], KEYS[k + 5]), id) and 1 or 0 end
  local r = open(KEYS[k + 1], KEYS[k + 2], KEYS[k + 3])
  if r.wrong then return r.wrong end
  local record = recordOf(r, id)
  if record then drop(r, id, record) end
  close(r)
  return (record or refund(openRate(KEYS[k + 4], KEYS[k + 5]), id)) and 1 or 0
end
end

local other
${exits(
  5,
  `
    other = other or more()
    replies[i] = other(k, text, id)`,
)}`);

/**
 * The same for a permit that is held alone.
 *
 * KEYS  state
 */
export const exitQuick = new Script(exits(1, 'replies[i] = false'), { keys: 1, whole: exit });

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
