/**
 * The steps of redlock on one master: the same key with the same life, so that others of its kind are kept out and keep us
 * out, but each may be repeated. A claim is known by the beginning of its value, and is not refused by a key that it holds
 * already; the values of others are compared whole.
 *
 * KEYS  name
 * ARGV  value, or its beginning; lease in milliseconds
 * reply 1 done, 0 not
 */
const held = `
local held = redis.call('get', KEYS[1])
local begin = string.match(ARGV[1], '^lk1 %S+ ')
local mine = held and (held == ARGV[1] or (begin ~= nil and string.sub(held, 1, #begin) == begin))
`;

/** Nothing is granted while the key `pausePrefix .. name` is there. */
export function acquireScript(pausePrefix: string): string {
  return `${held}
if mine then
  redis.call('pexpire', KEYS[1], ARGV[2])
  return 1
end
if held or redis.call('exists', '${pausePrefix}' .. KEYS[1]) == 1 then return 0 end
redis.call('set', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`;
}

/** With a whole value, the key has that from now on: what it serves has changed. */
export const extendScript = `${held}
if not mine then return 0 end
if begin == ARGV[1] then
  redis.call('pexpire', KEYS[1], ARGV[2])
else
  redis.call('set', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return 1
`;

export const releaseScript = `${held}
if not mine then return 0 end
redis.call('del', KEYS[1])
return 1
`;
