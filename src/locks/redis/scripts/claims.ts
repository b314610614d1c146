import { Script } from '../../../redis/script.js';
import { rates } from './rate.js';
import { resource } from './resource.js';

/**
 * Gives back a permit, a place or a booking. What is not there is no error.
 *
 * KEYS  state ends line rate charges
 * ARGV  id
 * reply 1 there was one, 0 there was none | version VERSION
 */
export const exit = new Script(`${resource}${rates}
return forEach(function()
  local r, marks, charges, id = open(), key(), key(), arg()
  if r.wrong then return r.wrong end
  local record = recordOf(r, id)
  if record then drop(r, id, record) end
  close(r)
  return (record or refund(openRate(marks, charges), id)) and 1 or 0
end)
`);

/**
 * Takes a permit, a place or a booking away, and tells whoever holds a permit.
 *
 * KEYS, ARGV and reply as of \`exit\`
 */
export const evict = new Script(`${resource}${rates}
return forEach(function()
  local r, marks, charges, id = open(), key(), key(), arg()
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
