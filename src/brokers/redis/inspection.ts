import { decode, type Message } from '../../message.js';
import type { Located, RoomState, Whereabouts } from '../broker.js';
import { textIn } from './handed.js';
import type { RedisQueue } from './queue.js';
import { cursor, locateCards, roomStates } from './steps/inspecting.js';

/** What people ask for goes in parts, so that workers have their turn in between. */
const part = { rooms: 200, entries: 1_000 };

/** The rooms of a queue as an operator sees them. */
export async function statesOfRooms(queue: RedisQueue): Promise<RoomState[]> {
  const resources: string[] = await queue.link.run((client) =>
    client.call('zrange', [queue.keys.rooms, 0, -1]),
  );
  const states: RoomState[] = [];
  for (let from = 0; from < resources.length; from += part.rooms) {
    const reply = await queue.step(roomStates, resources.slice(from, from + part.rooms));
    for (let at = 0; at < reply.length; at += 3) {
      const [resource, parked, card] = reply.slice(at, at + 3) as [string, number, string];
      const { sentAt, deferredAt = sentAt } = decode(textIn(card));
      states.push({ queue: queue.name, resource, parked, since: deferredAt });
    }
  }
  return states;
}

/** Where a message of a queue is: of several under one id one that runs, else one that waits, else one set aside. */
export async function locateIn(queue: RedisQueue, id: string): Promise<Located | undefined> {
  const [cards, entry] = await Promise.all([amongCards(queue, id), inStream(queue, id)]);
  const found = [...cards, ...(entry ? [entry] : [])];
  const best = found.find(({ where }) => where === 'running') ?? found[0];
  if (best) return best;
  const aside = (await queue.asides()).find(({ message }) => message?.id === id);
  return aside?.message && { queue: queue.name, message: aside.message, where: 'apart', aside };
}

async function amongCards(queue: RedisQueue, id: string): Promise<Located[]> {
  const reply = await queue.step(locateCards, [id]);
  const found: Located[] = [];
  for (let at = 0; at < reply.length; at += 4) {
    const [where, fact, resource, text] = reply.slice(at, at + 4) as [
      string,
      string | number,
      string,
      string,
    ];
    const message = messageIn(text, id);
    if (message) found.push({ queue: queue.name, message, ...whereabouts(where, Number(fact), resource) });
  }
  return found;
}

function whereabouts(where: string, fact: number, resource: string): Whereabouts {
  switch (where) {
    case 'ready':
      return { where, ahead: fact };
    case 'parked':
      return { where, resource, ahead: fact };
    case 'delayed':
      return { where, until: fact };
    default:
      return { where: 'running' };
  }
}

/** It looks through the stream: what was handed out comes before what was not, and has not ended if it is there still. */
async function inStream(queue: RedisQueue, id: string): Promise<Located | undefined> {
  const [last, cards] = (await queue.step(cursor, [])) as [string, number];
  let ahead = cards;
  for (let from = '-'; ; ) {
    const page: [string, string[]][] = await queue.link.run((client) =>
      client.call('xrange', [queue.keys.stream, from, '+', 'COUNT', part.entries]),
    );
    for (const [entry, [, text = '']] of page) {
      const isOut = comesUpTo(entry, last);
      const message = messageIn(text, id);
      if (message) {
        return { queue: queue.name, message, ...(isOut ? { where: 'running' } : { where: 'ready', ahead }) };
      }
      if (!isOut) ahead++;
    }
    if (page.length < part.entries) return undefined;
    from = `(${page.at(-1)?.[0]}`;
  }
}

/** Whether an entry of the stream comes before another, or is it. */
function comesUpTo(entry: string, other: string): boolean {
  const [order = 0, turn = 0] = entry.split('-').map(Number);
  const [otherOrder = 0, otherTurn = 0] = other.split('-').map(Number);
  return order === otherOrder ? turn <= otherTurn : order < otherOrder;
}

function messageIn(text: string, id: string): Message | undefined {
  // Most are others, and to read them all would take long.
  if (!text.includes(JSON.stringify(id).slice(1, -1))) return undefined;
  try {
    const message = decode(text);
    return message.id === id ? message : undefined;
  } catch {
    return undefined;
  }
}
