import { cards, mint, now, revocation, wake } from '../lua/cards.js';
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

/** id of what was set apart, then the message as for `publish` → whether it was there */
export const replay = new Step(
  ...add,
  `
if redis.call('XDEL', aside, ARGV[1]) == 0 then return 0 end
add(2)
return 1`,
);
