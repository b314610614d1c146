/** Milliseconds for which a resource is remembered that nobody uses: a clock that is set back by less lets no token fall. */
export const idle = 3_000;

/**
 * What all scripts begin with.
 *
 * A script takes its step for one resource after the other: the keys of all of them stand in a row, so do the arguments
 * and so do the replies, but that of a single step stands alone. Time is the server's, in milliseconds; no client ever sends a clock.
 */
export const steps = `
local keysRead, argsRead = 0, 0

local function key()
  keysRead = keysRead + 1
  return KEYS[keysRead]
end

local function arg()
  argsRead = argsRead + 1
  return ARGV[argsRead]
end

local function forEach(step)
  local replies = {}
  while keysRead < #KEYS do replies[#replies + 1] = step() end
  return #replies == 1 and replies[1] or replies
end

-- Lua writes numbers from 1e14 up in another way, and all who read expect digits.
local function whole(number) return string.format('%.0f', number) end

local idle = ${idle}
`;

/** What the clock of the server says. */
export const ask = `
local time = redis.call('TIME')
`;

/** For what goes by that clock. */
export const clock = `
local now = time[1] * 1000 + time[2] / 1000
local micros = time[1] .. string.sub('00000' .. time[2], -6)

-- Tokens rise with the clock, and so they rise though all that was known of a resource has been forgotten.
local function tokenAfter(last)
  last = tonumber(last) or 0
  if last < tonumber(micros) then return micros end
  return whole(last + 1)
end

-- Milliseconds, as they are told: nobody is to come back too early.
local function told(ms) return math.max(1, math.ceil(ms)) end
`;
