/**
 * What a worker has in hand, and how it comes to be ready again, in its old place of publish order: an entry of the stream
 * becomes a card. Where somebody has deleted the stream, nothing of it is pending.
 */
export const inHand = `
local function textOf(id)
  local entry = redis.call('XRANGE', stream, id, id)[1]
  return entry and entry[2][2]
end
local function giveEntryBack(id, lost)
  local text = textOf(id)
  if text then
    local order = string.format('%016.0f', tonumber(string.match(id, '^%d+')))
    local messageId, message = idIn(text)
    local priority = message and tonumber(message.priority) or 0
    local rank = 9 - math.min(9, math.max(0, math.floor(priority))) .. order
    local uid = uidFor(messageId, order)
    write(uid, lost, rank, 0, 0, text)
    makeReady(uid, rank)
  end
  redis.call('XACK', stream, 'w', id)
  redis.call('XDEL', stream, id)
end
local function giveCardBack(handle, lost)
  redis.call('ZREM', hands, handle)
  local uid = uidOf(handle)
  local losses, rank, _, _, text = read(uid)
  if not losses then return end
  write(uid, losses + lost, rank, 0, 0, text)
  makeReady(uid, rank)
end
local function eachInHand(worker, visit)
  local from = '-'
  repeat
    local pending = redis.pcall('XPENDING', stream, 'w', from, '+', 500, worker)
    if pending.err then break end
    for _, item in ipairs(pending) do visit(item[1], giveEntryBack) end
    if #pending > 0 then from = '(' .. pending[#pending][1] end
  until #pending == 0
  for _, handle in ipairs(redis.call('ZRANGEBYSCORE', hands, worker, worker)) do visit(handle, giveCardBack) end
end`;

/** Gives all that a worker has to others. Each message was lost once more. */
export const bury = `
local function bury(worker)
  redis.call('ZREM', alive, worker)
  redis.call('ZREM', idle, worker)
  local lost = false
  eachInHand(worker, function(handle, giveBack)
    giveBack(handle, 1)
    lost = true
  end)
  redis.pcall('XGROUP', 'DELCONSUMER', stream, 'w', worker)
  if lost then wake() end
end`;

/**
 * A worker that lives says so, and buries those that have not for a lease: not when it is late itself, for then it may
 * be the server that was frozen, and others are on their way to say that they live. Tells whether the worker is known,
 * and in how many ms the next would count as dead: -1 when it was late.
 */
export const beat = `
local function beat(me, lease, mayBury, time)
  local expiry = redis.call('ZSCORE', alive, me)
  if not expiry then return false end
  redis.call('ZADD', alive, time + lease, me)
  if time - (tonumber(expiry) - lease) > lease / 2 then return -1 end
  local first = redis.call('ZRANGE', alive, 0, 0, 'WITHSCORES')
  while mayBury and tonumber(first[2]) < time do
    bury(first[1])
    first = redis.call('ZRANGE', alive, 0, 0, 'WITHSCORES')
  end
  return math.max(0, tonumber(first[2]) - time)
end`;
