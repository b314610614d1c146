import { cards, lastEntry, mint, now, revocation, wake } from '../lua/cards.js';
import { waiting } from '../lua/waiting.js';
import { Step, seldom } from './step.js';

/** number of our layout, whether to make the queue if there is none → the number of its layout, if it is there */
export const open = new Step(`
local found = redis.call('GET', layout)
if ARGV[2] == '1' and not found then
  redis.call('SET', layout, ARGV[1])
  found = ARGV[1]
end
if ARGV[2] == '1' and found == ARGV[1] then redis.pcall('XGROUP', 'CREATE', stream, 'w', 0, 'MKSTREAM') end
return found`);

/** One that the stream has no order for, or that is to wait: it becomes a card. Tells when it is due, if it waits. */
const addCard = `
local function addCard(order, head, text)
  local time = now()
  local wait, priority, id = string.match(head, '^(%d+) (%d) (.*)$')
  local uid, rank = uidFor(id, order), 9 - priority .. order
  if wait == '0' or isRevoked(id, time) then
    write(uid, 0, rank, 0, 0, text)
    makeReady(uid, rank)
    return
  end
  delay(uid, rank, 0, text, time + wait)
  return time + wait
end`;

/**
 * Messages, from an argument on. Those without delay and of no priority go to the stream; the others, of which the stream
 * knows no order but that of their coming, are cards.
 */
const add = [
  lastEntry,
  mint,
  wake,
  seldom(['addCard'], now, cards, revocation, waiting, addCard),
  `
local function add(from)
  local first = mint((#ARGV - from + 1) / 2)
  local isReady, earliest = false, nil
  for at = from, #ARGV, 2 do
    local order = string.format('%016.0f', first + (at - from) / 2)
    local head, text = ARGV[at], ARGV[at + 1]
    local dueAt
    if head == '' then redis.call('XADD', stream, order .. '-0', 'm', text)
    else dueAt = rest().addCard(order, head, text) end
    if dueAt then earliest = math.min(earliest or dueAt, dueAt) else isReady = true end
  end
  -- Somebody must know when the next is due.
  if isReady or tonumber(redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')[2]) >= earliest then wake() end
end`,
];

/** For each message: nothing, or delay in ms, priority and id, as one text; and the message. */
export const publish = new Step(...add, 'add(1) return {}');

/**
 * Larger messages are fetched: what a worker is told waits in the server for it, and there is a limit to that. Where one
 * is the first of the stream, the word says only that there is more in hand than is known of.
 */
const largestTold = 65_536;

/**
 * One message without delay and of no priority, number of a worker of its publisher's process that is idle, if any. Where
 * no card comes before it, the first of the stream is in the hands of an idle worker from now on: of that one, with the
 * answer, or else of one that can be told with the word that wakes it. What it does not hear of goes back when it tells
 * what it knows of, as it does when it was not connected, and now and then; or when it counts as dead.
 *
 * → nothing, or of what that worker got the place in publish order if it is this message, else id and text
 */
export const publishOne = new Step(`
local text, near, time = ARGV[1], ARGV[2], redis.call('TIME')
local place = time[1] * 1000000 + time[2]
local added = redis.pcall('XADD', stream, string.format('%.0f-0', place), 'm', text)
if type(added) == 'table' then
  ${lastEntry}
  place = lastEntry() + 1
  added = redis.call('XADD', stream, string.format('%.0f-0', place), 'm', text)
end
local isFetched = redis.call('EXISTS', ready, revoked) > 0 or #text > ${largestTold}
local function handTo(worker)
  local found = redis.pcall('XREADGROUP', 'GROUP', 'w', worker, 'COUNT', 1, 'STREAMS', stream, '>')
  local entry = found and found[1] and found[1][2][1]
  if entry then return entry[1], entry[2][2] end
end
if not isFetched and near ~= '' and redis.call('ZREM', idle, near) == 1 then
  local id, first = handTo(near)
  if id == added then return place end
  return { id, first }
end
if isFetched or cluster then
  ${wake}
  return wake()
end
while true do
  local worker = redis.call('ZPOPMIN', idle)[1]
  if not worker then return end
  local channel = idle .. ':' .. worker
  local heard = redis.pcall('PUBSUB', 'NUMSUB', channel)
  if heard.err then
    if redis.call('PUBLISH', channel, '') > 0 then return end
  elseif heard[2] > 0 then
    local id, first = handTo(worker)
    local word = id and (#first <= ${largestTold} and id .. '\\n' .. first or 'more') or ''
    redis.call('PUBLISH', channel, word)
    return
  end
end`);

/** id of what was set apart, then the message as for `publish` → whether it was there */
export const replay = new Step(
  ...add,
  `
if redis.call('XDEL', aside, ARGV[1]) == 0 then return 0 end
add(2)
return 1`,
);
