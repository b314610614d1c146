/**
 * Where a queue is kept in Redis. Everything of one queue is in one hash tag, so that one script can have it in a
 * Cluster, and under the number of this layout, so that no other version ever touches it.
 *
 * | key        | type   | what                                                                                        |
 * | ---------- | ------ | ------------------------------------------------------------------------------------------- |
 * | `layout`   | string | the number of the layout that the queue is kept in; the one key whose name has none         |
 * | `stream`   | stream | messages as they were published, until they are settled; group `w`, a consumer each worker  |
 * | `cards`    | hash   | uid → card: every message that is not in the stream, wherever it is                         |
 * | `ready`    | zset   | rank and uid of cards that are to be delivered, by their names                              |
 * | `due`      | zset   | place → when it is to be ready, in ms: delays, and deadlines of what is parked              |
 * | `parked`   | zset   | places of the cards in rooms, by their names: so those of one room by rank                  |
 * | `rooms`    | zset   | resource → when its room counts as untended, in ms                                          |
 * | `room`     | hash   | `r` resource → number, capacity, countdown of its room; `n` number → resource               |
 * | `hands`    | zset   | turn and uid of cards in hand → the number of the worker that has them                      |
 * | `alive`    | zset   | number of a worker → when it counts as dead, in ms                                          |
 * | `idle`     | zset   | number of a worker that found nothing, and wants to be woken → since when                   |
 * | `revoked`  | zset   | id → until when its revocation is remembered, in ms                                         |
 * | `twins`    | zset   | uids that are not the id of their message, because another message had it already           |
 * | `aside`    | stream | messages that were set aside: `r` reason, `t` text                                          |
 * | `facts`    | hash   | `last` place in publish order, `rooms` numbers of rooms given                               |
 *
 * An order is the microsecond of publishing, or one more than the order before it. It is the id in the stream. A rank
 * is 9 less the priority, and the order in 16 digits: ranks sort as messages come, over all queues. A card is losses,
 * rank, number of its room (0 without one), weight, and the message. A place is room, rank, weight and uid. A uid is the
 * message's id, so that what is revoked is found, or for another message of that id the id, a zero byte and its order.
 */
const layoutNumber = 1;

export const keyNames = [
  'layout',
  'stream',
  'cards',
  'ready',
  'due',
  'parked',
  'rooms',
  'room',
  'hands',
  'alive',
  'idle',
  'revoked',
  'twins',
  'aside',
  'facts',
] as const;

export type Keys = Readonly<Record<(typeof keyNames)[number], string>>;

export const layout = String(layoutNumber);

export function keysOf(prefix: string, queue: string): Keys {
  const base = `${prefix}:queue:{${tagOf(queue)}}`;
  const versioned = keyNames.map((name) => [name, `${base}:${layout}:${name}`]);
  return { ...(Object.fromEntries(versioned) as Keys), layout: base };
}

/** The set of all queues that are kept in this layout, by name. */
export function registryKey(prefix: string): string {
  return `${prefix}:queues:${layout}`;
}

/** Where news of a queue's rooms and revocations are told. */
export function newsChannel({ rooms }: Keys): string {
  return rooms;
}

/** Where one worker is woken. */
export function wakeChannel({ idle }: Keys, worker: string): string {
  return `${idle}:${worker}`;
}

/** A hash tag ends with the first brace, and an empty one is none. */
function tagOf(queue: string): string {
  return queue.replace(/[%{}]/g, (brace) => `%${brace.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** The rank of a message in a queue: what is smaller comes first. A foreign message may have any number as its priority. */
export function rankOf(priority: number, order: string): string {
  return `${9 - Math.min(9, Math.max(0, Math.floor(priority)))}${order}`;
}

/** The order in a rank. */
export function orderOf(rank: string): string {
  return rank.slice(1);
}

/** The id of the message in the stream that has this order. */
export function entryAt(order: number | string): string {
  return `${order}-0`;
}

/** The order of a message of the stream. */
export function orderOfEntry(id: string): string {
  return id.slice(0, id.indexOf('-')).padStart(16, '0');
}
