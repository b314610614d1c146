import { Script } from '../../../redis/script.js';
import { crowd, lone, texts } from './resource.js';
import { ask, clock, steps } from './steps.js';

/**
 * All there is of a resource. Changes nothing.
 *
 * KEYS  state ends line rate charges
 * reply NOW STATE(text, or field value …) ENDS(id score …) LINE(id …) RATE(field value …) CHARGES(id score …) |
 *       version VERSION
 */
export const inspect = new Script(`${steps}${ask}${clock}${texts}
return forEach(function()
  local state, ends, line, marks, charges = key(), key(), key(), key(), key()
  local text, hash = textOf(state)
  local wrong = wrongVersion(text or hash and redis.call('HGET', state, 'version'))
  if wrong then return wrong end
  return { string.format('%.3f', now), text or redis.call('HGETALL', state), redis.call('ZRANGE', ends, 0, -1, 'WITHSCORES'),
    redis.call('ZRANGE', line, 0, -1), redis.call('HGETALL', marks), redis.call('ZRANGE', charges, 0, -1, 'WITHSCORES') }
end)
`);

/**
 * Stores a capacity that counts for everybody, or takes it back. Places that are too heavy for it would stand in the way of
 * the others for ever, so they go, and their owners are told.
 *
 * KEYS  state ends line
 * ARGV  capacity(or nothing) expiresIn(or nothing)
 * reply 1 | version VERSION
 */
export const setCapacity = new Script(`${steps}${ask}${clock}${texts}${lone}${crowd}
return forEach(function()
  local r, capacity, expiresIn = open(key(), key(), key()), tonumber(arg()), tonumber(arg())
  if r.wrong then return r.wrong end
  r.override, r.overrideUntil, r.ordered = capacity, expiresIn and now + expiresIn, true
  if capacity then put(r, 'capacity', capacity) end
  if capacity and expiresIn then put(r, 'capacityUntil', r.overrideUntil) end
  if not capacity then redis.call('HDEL', r.state, 'capacity') end
  if not (capacity and expiresIn) then redis.call('HDEL', r.state, 'capacityUntil') end
  for _, id in ipairs(capacity and redis.call('ZRANGE', r.line, 0, -1) or {}) do
    local record = recordOf(r, id)
    local weight, channel = string.match(record, '^p (%d+) %d+ %d+ (%S+)')
    if tonumber(weight) > capacity then
      drop(r, id, record)
      redis.call('PUBLISH', channel, id)
    end
  end
  close(r)
  return 1
end)
`);

/**
 * Grants nothing, and books no start, for so long. 0 ends a pause.
 *
 * KEYS  state ends line
 * ARGV  ms reason(or nothing)
 * reply 1 | version VERSION
 */
export const pause = new Script(`${steps}${ask}${clock}${texts}${lone}${crowd}
return forEach(function()
  local r, ms, reason = open(key(), key(), key()), tonumber(arg()), arg()
  if r.wrong then return r.wrong end
  r.ordered, r.paused = true, ms > 0 and now + ms or nil
  redis.call('HDEL', r.state, 'pausedUntil', 'pauseReason')
  if r.paused then
    put(r, 'pausedUntil', r.paused)
    if reason ~= '' then put(r, 'pauseReason', reason) end
  end
  close(r)
  return 1
end)
`);
