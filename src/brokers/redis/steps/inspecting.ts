import { cards } from '../lua/cards.js';
import { waiting } from '../lua/waiting.js';
import { Step } from './step.js';

/** → ready, delayed, parked, running, apart */
export const depth = new Step(`
local pending = redis.pcall('XPENDING', stream, 'w')[1] or 0
local inReady, inRooms, inHands = redis.call('ZCARD', ready), redis.call('ZCARD', parked), redis.call('ZCARD', hands)
return {
  redis.call('XLEN', stream) - pending + inReady,
  redis.call('HLEN', cards) - inReady - inRooms - inHands,
  inRooms,
  pending + inHands,
  redis.call('XLEN', aside),
}`);

/** resources → for each room that is not empty: resource, messages in it, card of the one that was published first */
export const roomStates = new Step(
  waiting,
  `
local found = {}
for _, resource in ipairs(ARGV) do
  local number = string.match(redis.call('HGET', room, 'r' .. resource) or '', '^%d+')
  local earliest, first
  -- Of each priority, the first.
  for digit = number and 0 or 10, 9 do
    local from, to = number .. ':' .. digit, number .. ':' .. string.char(49 + digit)
    local place = redis.call('ZRANGEBYLEX', parked, '[' .. from, '(' .. to, 'LIMIT', 0, 1)[1]
    local order, uid = string.match(place or '', '^%d+:%d(%d+):%d+:(.*)$')
    if order and (not earliest or order < earliest) then earliest, first = order, uid end
  end
  if first then
    found[#found + 1] = resource
    found[#found + 1] = redis.call('ZLEXCOUNT', parked, '[' .. number .. ':', '(' .. number .. ';')
    found[#found + 1] = redis.call('HGET', cards, first)
  end
end
return found`,
);

/**
 * id → for each card under it: where it is, what belongs to that, and the card
 *
 *     running ''
 *     ready   how many come before it
 *     parked  how many come before it, resource
 *     delayed until when, in ms
 */
export const locateCards = new Step(
  cards,
  waiting,
  `
local uids = redis.call('ZRANGEBYLEX', twins, '[' .. ARGV[1] .. '\\0', '(' .. ARGV[1] .. '\\1')
uids[#uids + 1] = ARGV[1]
local function isInHand(uid)
  for _, handle in ipairs(redis.call('ZRANGE', hands, 0, -1)) do if uidOf(handle) == uid then return true end end
end
local function whereIs(uid, rank, number, weight)
  if isInHand(uid) then return { 'running', '', '' } end
  local before = redis.call('ZRANK', ready, rank .. uid)
  if before then return { 'ready', before, '' } end
  local place = placeOf(number, rank, weight, uid)
  if redis.call('ZSCORE', parked, place) then
    local ahead = redis.call('ZLEXCOUNT', parked, '[' .. number .. ':', '(' .. place)
    return { 'parked', ahead, redis.call('HGET', room, 'n' .. number) }
  end
  return { 'delayed', redis.call('ZSCORE', due, place) or '0', '' }
end
local found = {}
for _, uid in ipairs(uids) do
  local losses, rank, number, weight, text = read(uid)
  if losses then
    for _, fact in ipairs(whereIs(uid, rank, number, weight)) do found[#found + 1] = fact end
    found[#found + 1] = text
  end
end
return found`,
);

/** → the last entry of the stream that was handed out, and how many cards come before all that were not */
export const cursor = new Step(`
local facts = redis.pcall('XINFO', 'GROUPS', stream)[1] or {}
local last = '0-0'
for i = 1, #facts, 2 do if facts[i] == 'last-delivered-id' then last = facts[i + 1] end end
return { last, redis.call('ZCARD', ready) }`);
