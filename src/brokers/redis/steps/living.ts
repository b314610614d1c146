import { cards, lastEntry, now, revocation, wake } from '../lua/cards.js';
import { beat as beatPart, bury, inHand } from '../lua/workers.js';
import { Step } from './step.js';

/**
 * How a worker comes, lives and leaves. The first argument is its number, and the first thing in the reply 1, or 0 when
 * it counts as dead: then nothing was done.
 */

/** number, lease */
export const join = new Step(
  now,
  `
redis.call('ZADD', alive, now() + ARGV[2], ARGV[1])
return { 1 }`,
);

/** number, lease, whether it may bury others → 1, ms until the next counts as dead, -1 when it was late */
export const beat = new Step(
  now,
  cards,
  revocation,
  wake,
  inHand,
  bury,
  beatPart,
  `
local others = beat(ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1', now())
return others and { 1, others } or { 0 }`,
);

/**
 * number, whether it did not hear the answer last time, then the handles it knows of: whatever else it has goes back,
 * without a loss. It is not idle any more.
 *
 * → 1, the last place in publish order if anything went back now, or may have gone back then
 */
export const audit = new Step(
  cards,
  lastEntry,
  revocation,
  wake,
  inHand,
  `
local me = ARGV[1]
if not redis.call('ZSCORE', alive, me) then return { 0 } end
redis.call('ZREM', idle, me)
local known, returned = {}, false
for i = 3, #ARGV do known[ARGV[i]] = true end
eachInHand(me, function(handle, giveBack)
  if known[handle] then return end
  giveBack(handle, 0)
  returned = true
end)
if returned then wake() end
return { 1, (returned or ARGV[2] == '1') and string.format('%.0f', lastEntry()) or nil }`,
);

/** number. What it has goes to others at once, as lost. */
export const leave = new Step(
  now,
  cards,
  revocation,
  wake,
  inHand,
  bury,
  `
if redis.call('ZSCORE', alive, ARGV[1]) then bury(ARGV[1]) end
return { 1 }`,
);

/** For a worker that was woken and has no use for it. */
export const passOn = new Step(wake, 'wake() return { 1 }');
