import { cards, now, revocation, wake } from '../lua/cards.js';
import { end, endCard, endEntries, take as takePart } from '../lua/hands.js';
import { firstIn, leave, promote, waiting } from '../lua/waiting.js';
import { beat, bury, inHand } from '../lua/workers.js';
import { Step, seldom } from './step.js';

/**
 * How messages come into a worker's hands, and out of them. The first argument is its number, and the first thing in the
 * reply 1, or 0 when it counts as dead: then nothing was done.
 */

/** What a script needs to end more than entries. */
const ending = [now, cards, revocation, inHand, waiting, end];

/** number, then what is to end → 1, ms until the next is due if that may be another now */
export const settle = new Step(
  wake,
  endEntries,
  seldom(['now', 'endAll'], ...ending),
  `
if not redis.call('ZSCORE', alive, ARGV[1]) then return { 0 } end
local at = endEntries(2)
if not ARGV[at] then return { 1, -1 } end
local dueIn, becameReady = rest().endAll(at, rest().now())
if becameReady then wake() end
return { 1, dueIn }`,
);

/** Where somebody has deleted the stream, another begins. */
const readStream = `
local function readStream(me, count)
  local found = redis.pcall('XREADGROUP', 'GROUP', 'w', me, 'COUNT', count, 'STREAMS', stream, '>')
  if found and found.err then
    redis.call('XGROUP', 'CREATE', stream, 'w', 0, 'MKSTREAM')
    found = redis.call('XREADGROUP', 'GROUP', 'w', me, 'COUNT', count, 'STREAMS', stream, '>')
  end
  return found and found[1][2] or {}
end`;

/** Cards that are ready come into a worker's hands. */
const giveCards = `
local function giveCards(me, turn, wanted, reply, time)
  for _, member in ipairs(redis.call('ZRANGE', ready, 0, wanted - 1)) do
    redis.call('ZREM', ready, member)
    local uid = string.sub(member, 18)
    local handle, card = take(me, turn, uid)
    if handle then
      if isRevoked(idOf(uid), time) then reply[6][#reply[6] + 1] = handle end
      reply[#reply + 1] = handle
      reply[#reply + 1] = card
    end
  end
end`;

/** An entry that is not like most: too large, revoked, or with a line break in it. */
const giveOddEntry = `
local function giveOddEntry(id, text, largest, reply, time)
  if #text > largest then
    return setApart(id, 'the message is ' .. #text .. ' bytes, and ' .. largest .. ' are allowed')
  end
  if isRevoked(idIn(text), time) then reply[6][#reply[6] + 1] = id end
  reply[#reply + 1] = id
  reply[#reply + 1] = text
end`;

/**
 * number, turn, how many at most, largest message in bytes, lease (0: says nothing of being alive), whether it may bury
 * others, then what is to end before
 *
 * → 1, whether it is idle now, ms until the next is due, ms until a room is untended, ms until the next counts as dead,
 * handles of what is revoked, then most deliveries: all their handles, all their texts; then the others one by one:
 * handle, text or card
 */
export const fetch = new Step(
  now,
  wake,
  endEntries,
  readStream,
  seldom(
    ['beat', 'endAll', 'promote', 'giveCards', 'giveOddEntry'],
    cards,
    revocation,
    inHand,
    bury,
    waiting,
    promote,
    beat,
    end,
    takePart,
    giveCards,
    giveOddEntry,
  ),
  `
local me, turn, wanted, largest, lease = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local time = now()
local others = 0
if lease > 0 then
  others = rest().beat(me, lease, ARGV[6] == '1', time)
  if not others then return { 0 } end
elseif not redis.call('ZSCORE', alive, me) then
  return { 0 }
end
local at, isReady = endEntries(7), false
if ARGV[at] then isReady = select(2, rest().endAll(at, time)) end
local nextDue = tonumber(redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')[2])
if nextDue and nextDue <= time then
  rest().promote(time)
  isReady = true
  nextDue = tonumber(redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')[2])
end
local ids, texts = {}, {}
local reply = { 1, 0, nextDue and math.max(0, nextDue - time) or -1, -1, others, {}, '', '' }
local more, last = false, nil
if wanted > 0 and redis.call('EXISTS', ready) == 1 then
  rest().giveCards(me, turn, wanted, reply, time)
  more = redis.call('EXISTS', ready) == 1
end
local asked = wanted - (#reply - 8) / 2
if asked > 0 then
  local entries = readStream(me, asked)
  -- To read ids costs more than all the rest, and seldom is any revoked.
  local anyRevoked = #entries > 0 and redis.call('EXISTS', revoked) == 1
  for _, entry in ipairs(entries) do
    local id, text = entry[1], entry[2][2]
    last = id
    if anyRevoked or #text > largest or string.find(text, '\\n', 1, true) then
      rest().giveOddEntry(id, text, largest, reply, time)
    else
      ids[#ids + 1] = id
      texts[#texts + 1] = text
    end
  end
  reply[7], reply[8] = table.concat(ids, ' '), table.concat(texts, '\\n')
  if #entries < asked then
    redis.call('ZADD', idle, time, me)
    local first = redis.call('ZRANGE', rooms, 0, 0, 'WITHSCORES')
    reply[2] = 1
    reply[4] = #first == 0 and -1 or math.max(0, tonumber(first[2]) - time)
    return reply
  end
end
-- It got all that it asked for: there may be more, for others.
if wanted == 0 then
  if isReady then wake() end
elseif redis.call('EXISTS', idle) == 1 then
  if more or not last or #redis.call('XRANGE', stream, '(' .. last, '+', 'COUNT', 1) > 0 then wake() end
end
return reply`,
);

/**
 * number, turn, resource, weight, then what is to end before
 *
 * → 1, ms until the next is due if that may be another now, then handle, whether it is revoked, and card of what was
 * taken; or the weight of what comes first; or nothing
 */
export const take = new Step(
  now,
  firstIn,
  leave,
  takePart,
  endEntries,
  endCard,
  wake,
  seldom(['endAll', 'isRevoked', 'idOf'], cards, revocation, inHand, waiting, end),
  `
local me, turn, resource, weight = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if not redis.call('ZSCORE', alive, me) then return { 0 } end
local time = now()
local at, dueIn = endCard(endEntries(5)), -1
if ARGV[at] then
  local becameReady
  dueIn, becameReady = rest().endAll(at, time)
  if becameReady then wake() end
end
local record = redis.call('HGET', room, 'r' .. resource)
if not record then return { 1, dueIn } end
local number, countdown = string.match(record, '^(%d+) %S+ (%S+)$')
while true do
  local place = firstIn(number)
  if not place then return { 1, dueIn } end
  local heavy, uid = string.match(place, '^%d+:%d+:(%d+):(.*)$')
  if heavy ~= weight then return { 1, dueIn, heavy } end
  redis.call('ZREM', due, place)
  leave(place)
  redis.call('ZADD', rooms, 'XX', time + countdown, resource)
  local handle, card = take(me, turn, uid)
  if handle then
    local isOut = redis.call('EXISTS', revoked) == 1 and rest().isRevoked(rest().idOf(uid), time)
    return { 1, dueIn, handle, isOut and 1 or 0, card }
  end
end`,
);

/** number, resource → 1, then rank and weight of the first in its room */
export const head = new Step(
  waiting,
  `
if not redis.call('ZSCORE', alive, ARGV[1]) then return { 0 } end
local record = redis.call('HGET', room, 'r' .. ARGV[2])
local place = record and firstIn(string.match(record, '^%d+'))
if not place then return { 1 } end
local rank, weight = string.match(place, '^%d+:(%d+):(%d+):')
return { 1, rank, weight }`,
);
