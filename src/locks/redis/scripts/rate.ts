/**
 * A rate, kept by two marks on the clock, as in memory.
 *
 * `charged` is the theoretical arrival time of GCRA: each booking moves it on by its size, and a start is free while the
 * mark is no more than the burst ahead. `started` is the same for what really started, so that bookings which are late
 * within their tolerance do not all go at once.
 *
 * The hash `rate` has both marks, and what was charged for each id, `:ID`, as SIZE TIME FROM TO, and where it has started
 * also the FROM and TO of that. A mark goes back exactly, as long as nobody has moved it since: so they are compared as
 * they are written. `charges` has the ids by when they are void; what is void is dropped first.
 */
export const rates = `
local rounding = 0.001

local function mark(ms) return string.format('%.17g', ms) end

local function dropCharge(rate, id)
  redis.call('HDEL', rate.marks, ':' .. id)
  return redis.call('ZREM', rate.charges, id) == 1
end

local function openRate(marks, charges)
  local rate = { marks = marks, charges = charges }
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', rate.charges, '-inf', '(' .. mark(now))) do dropCharge(rate, id) end
  local f = redis.call('HMGET', rate.marks, 'charged', 'started')
  rate.charged, rate.started = tonumber(f[1]) or 0, tonumber(f[2]) or 0
  return rate
end

local function chargeOf(rate, id)
  local words = {}
  for word in string.gmatch(redis.call('HGET', rate.marks, ':' .. id) or '', '%S+') do words[#words + 1] = word end
  if #words == 0 then return nil end
  return { size = tonumber(words[1]), time = tonumber(words[2]), words = words, begun = words[5] ~= nil }
end

-- Gives back a booking, or a start that was not made use of.
local function refund(rate, id)
  local charge = chargeOf(rate, id)
  if not charge or not dropCharge(rate, id) then return false end
  local _, _, from, to, startedFrom, startedTo = unpack(charge.words)
  if mark(rate.charged) == to then redis.call('HSET', rate.marks, 'charged', from) end
  if startedTo and mark(rate.started) == startedTo then redis.call('HSET', rate.marks, 'started', startedFrom) end
  return true
end

-- What has started is no booking any more.
local function evictBooking(rate, id)
  local charge = chargeOf(rate, id)
  return charge and not charge.begun and refund(rate, id)
end
`;
