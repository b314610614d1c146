import { Script } from '../../../redis/script.js';
import { rates } from './rate.js';
import { texts } from './resource.js';
import { ask, clock, steps } from './steps.js';

/**
 * Asks for a start under a rate. Asking again with the same id gives the same booking; when its time has come, that redeems
 * it and charges nothing more.
 *
 * KEYS  state rate charges
 * ARGV  id interval per burst cost reach tolerance dry(1|0)
 * reply now | later AFTER | beyond AFTER | version VERSION
 */
export const book = new Script(`${steps}${ask}${clock}${texts}${rates}
local function after(at) return math.max(0, math.ceil(at - now - rounding)) end

-- The keys last as long as they say anything: until the last booking is void, and nothing is owed any more.
local function keep(rate, q, charge, validUntil)
  redis.call('HSET', rate.marks, ':' .. q.id, table.concat(charge, ' '), 'charged', mark(rate.charged), 'started',
    mark(rate.started), 'interval', mark(q.interval), 'burst', mark(q.burst), 'leeway', mark(q.leeway))
  redis.call('ZADD', rate.charges, validUntil, q.id)
  local latest = tonumber(redis.call('ZRANGE', rate.charges, -1, -1, 'WITHSCORES')[2])
  local last = math.ceil(math.max(latest, rate.charged, rate.started)) + 1
  redis.call('PEXPIREAT', rate.marks, last)
  redis.call('PEXPIREAT', rate.charges, last)
end

-- A start is made: from now on it may only be given back.
local function start(rate, charge, size)
  charge[5] = mark(rate.started)
  rate.started = math.max(rate.started, now) + size
  charge[6] = mark(rate.started)
end

-- Burst, leeway and size are times under the rate.
local function question()
  local q = { id = arg(), interval = tonumber(arg()), per = tonumber(arg()), burst = tonumber(arg()), cost = tonumber(arg()),
    reach = tonumber(arg()), tolerance = tonumber(arg()), dry = arg() == '1' }
  q.leeway, q.burst, q.size = math.max(q.interval, q.per / 10), q.burst * q.interval, q.cost * q.interval
  return q
end

local function redeem(rate, booked, q)
  if not q.dry then
    start(rate, booked.words, booked.size)
    keep(rate, q, booked.words, now + q.tolerance)
  end
  return { 'now' }
end

local function mayStart(rate, size, q)
  return rate.started + size - q.burst - q.leeway <= now + rounding
end

local function charge(rate, q, opens)
  local from = math.max(rate.charged, rate.started - q.leeway, opens)
  local at = math.max(opens, from + q.size - q.burst)
  local wait = after(at)
  local kind = wait == 0 and 'now' or wait > q.reach and 'beyond' or 'later'
  if not q.dry then dropCharge(rate, q.id) end
  if q.dry or kind == 'beyond' then return { kind, wait } end
  local words = { mark(q.size), mark(at), mark(from), mark(from + q.size) }
  rate.charged = from + q.size
  if kind == 'now' then start(rate, words, q.size) end
  keep(rate, q, words, kind == 'now' and now + q.tolerance or at + q.tolerance)
  return { kind, wait }
end

return forEach(function()
  local state, rate, q = key(), openRate(key(), key()), question()
  local text, hash = textOf(state)
  local known = hash and redis.call('HMGET', state, 'version', 'pausedUntil') or {}
  local wrong = wrongVersion(text or known[1])
  if wrong then return wrong end
  local opens = math.max(now, tonumber(known[2]) or 0)
  local booked = chargeOf(rate, q.id)
  if booked and not booked.begun then
    if booked.time - now > rounding then return { 'later', after(booked.time) } end
    if opens <= now and mayStart(rate, booked.size, q) then return redeem(rate, booked, q) end
  end
  return charge(rate, q, opens)
end)
`);
