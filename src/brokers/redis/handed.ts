import { MalformedMessageError } from '../../errors.js';
import { decode, type Message } from '../../message.js';

/** A message as it came into a worker's hands. */
export interface Handed {
  /** Names this delivery, and no other. */
  readonly handle: string;
  readonly text: string;
  /** The message in the text, if somebody has read it already. */
  readonly message?: Message | undefined;
  readonly revoked: boolean;
  readonly losses: number;
  /** Among the messages of its queue, when it is a card; else its handle says it. */
  readonly rank: string | undefined;
}

/** Whether a delivery is in the stream still, and no card. */
export function isEntry(handle: string): boolean {
  return !handle.includes(':');
}

/** What was handed out by itself, with its text if it is an entry, or else its card. */
export function handedFrom(handle: string, whole: string, revoked: boolean): Handed {
  if (isEntry(handle)) return handedEntry(handle, whole, { revoked });
  const [losses = '0', rank] = whole.split(' ', 2);
  return { handle, text: textIn(whole), revoked, losses: Number(losses), rank };
}

/** What a worker was handed in the word that woke it, if that is more than a word: an entry of the stream. */
export function handedInWord(word: string): Handed | undefined {
  const at = word.indexOf('\n');
  return at < 0 ? undefined : handedEntry(word.slice(0, at), word.slice(at + 1));
}

/** What a worker of the publisher's process got: its own message, of which this is the place, or id and text of another. */
export type GivenReply = number | string | [id?: string, text?: string] | null;

export function handedFirst([id, text]: readonly [id?: string, text?: string]): Handed | undefined {
  return id === undefined || text === undefined ? undefined : handedEntry(id, text);
}

export function handedEntry(
  handle: string,
  text: string,
  { revoked = false, message }: Partial<Pick<Handed, 'revoked' | 'message'>> = {},
): Handed {
  return { handle, text, message, revoked, losses: 0, rank: undefined };
}

/** The message in a card: what comes after the fourth space. */
export function textIn(card: string): string {
  let at = -1;
  for (let field = 0; field < 4; field++) at = card.indexOf(' ', at + 1);
  return card.slice(at + 1);
}

/** The second is a weight where there is nothing more. */
export type TakenReply = [1, msUntilDue: number, handle: string | undefined, revoked: number, card?: string];
export type FetchReply = [
  1,
  isIdle: number,
  msUntilDue: number,
  msUntilUntended: number,
  msUntilDead: number,
  revoked: string[],
  handles: string,
  texts: string,
  ...others: string[],
];

/** What a step handed out: most texts come as one, since none of them has a line break. */
export function handedIn([, , , , , revoked, handles, texts, ...others]: FetchReply): Handed[] {
  const isRevoked = (handle: string) => revoked.length > 0 && revoked.includes(handle);
  const handed: Handed[] = [];
  for (let at = 0; at + 1 < others.length; at += 2) {
    const [handle, whole] = [others[at] as string, others[at + 1] as string];
    handed.push(handedFrom(handle, whole, isRevoked(handle)));
  }
  if (handles === '') return handed;
  const all = texts.split('\n');
  for (const [i, handle] of handles.split(' ').entries()) {
    handed.push(handedEntry(handle, all[i] as string, { revoked: isRevoked(handle) }));
  }
  return handed;
}

/**
 * The message that was handed over. Throws `MalformedMessageError` when it is none, or is larger than allowed, in bytes: as
 * it was published, for what is done again may have grown.
 */
export function messageOf({ message, text, handle }: Handed, largest: number): Message {
  // In UTF-8, no character takes more than three bytes for each of its units here.
  const bytes = 3 * text.length > largest && isEntry(handle) ? Buffer.byteLength(text) : 0;
  if (bytes > largest) {
    throw new MalformedMessageError(`the message is ${bytes} bytes, and ${largest} are allowed`);
  }
  return message ?? decode(text);
}
