import { describe, expect, it } from 'vitest';
import { Replies } from '../../src/redis/replies.js';

const reading = (text: string) => new Replies(Buffer.from(text));

const whole: readonly (readonly [string, string, unknown])[] = [
  ['a number', ':1764417000000000\r\n', 1_764_417_000_000_000],
  ['a negative number', ':-12\r\n', -12],
  ['a text', '$6\r\n\u00e4\r\nbc\r\n', '\u00e4\r\nbc'],
  ['an empty text', '$0\r\n\r\n', ''],
  ['a status', '+OK\r\n', 'OK'],
  ['nothing', '$-1\r\n', null],
  ['no list', '*-1\r\n', null],
  ['nothing, as version 3 of the protocol says it', '_\r\n', null],
  ['an empty list', '*0\r\n', []],
  ['a list in a list', '*3\r\n:1\r\n*2\r\n$1\r\na\r\n$-1\r\n$1\r\nb\r\n', [1, ['a', null], 'b']],
];

describe('a reply', () => {
  it.each(whole)('may be %s', (_, text, reply) => {
    const replies = reading(text);
    expect(replies.next()).toEqual(reply);
    expect(replies.isOver).toBe(true);
  });

  it.each(whole)('that is %s is not read before it is all there', (_, text) => {
    const bytes = Buffer.from(text);
    for (let length = 0; length < bytes.length; length++) {
      const replies = new Replies(bytes.subarray(0, length));
      expect(replies.next()).toBeUndefined();
      expect(replies.isForeign).toBe(false);
      expect(replies.rest).toEqual(bytes.subarray(0, length));
    }
  });

  it.each([
    ['an error', '-ERR no\r\n'],
    ['an error in a list', '*2\r\n:1\r\n-ERR no\r\n'],
    ['told unasked', '>2\r\n$4\r\nnews\r\n$1\r\na\r\n'],
    ['of another kind', '#t\r\n'],
  ])('that is %s is left', (_, text) => {
    const replies = reading(`:1\r\n${text}`);
    expect(replies.next()).toBe(1);
    expect(replies.next()).toBeUndefined();
    expect(replies.isForeign).toBe(true);
    expect(replies.rest.toString()).toBe(text);
  });

  it('comes after another', () => {
    const replies = reading(whole.map(([, text]) => text).join(''));
    for (const [, , reply] of whole) expect(replies.next()).toEqual(reply);
    expect(replies.isOver).toBe(true);
  });
});
