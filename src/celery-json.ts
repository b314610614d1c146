import { MalformedMessageError } from './errors.js';

/**
 * JSON as Python writes it, read without loss: what `JSON.parse` would turn into something else is refused. Values of
 * types that JSON does not have, which Celery tags since 5.3, are read as their texts, as they came before.
 *
 * Throws `MalformedMessageError`.
 */
export function parseCelery(text: string, what: string): unknown {
  const large = largeInteger(text);
  if (large !== undefined) {
    throw new MalformedMessageError(
      `${what} has the number ${large}, which JavaScript cannot hold exactly: send it as a text`,
    );
  }
  try {
    return text.includes('"__type__"') ? JSON.parse(text, untagged) : JSON.parse(text);
  } catch (error) {
    throw new MalformedMessageError(`${what} is not JSON: ${(error as Error).message}${hintOf(text)}`);
  }
}

/** Python writes three numbers that JSON does not have. */
function hintOf(text: string): string {
  for (const [token] of text.matchAll(tokens)) {
    if (/^-?(?:NaN|Infinity)$/.test(token)) return `. Python wrote ${token}, which JSON does not have`;
  }
  return '';
}

/** Texts, so that what stands in them is passed over, and numbers. */
const tokens = /"(?:[^"\\]|\\.)*"|-?(?:NaN|Infinity)|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** An integer in the text that comes out of `JSON.parse` as another. */
function largeInteger(text: string): string | undefined {
  if (!/\d{16}/.test(text)) return undefined;
  for (const [token] of text.matchAll(tokens)) {
    if (/^-?\d{16,}$/.test(token) && !isHeld(token)) return token;
  }
  return undefined;
}

/** The very number, or as it is written in JavaScript. */
function isHeld(integer: string): boolean {
  const number = Number(integer);
  return String(number) === integer || (Number.isFinite(number) && BigInt(number) === BigInt(integer));
}

function untagged(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 2) return value;
  const { __type__: type, __value__: plain } = value as { __type__?: unknown; __value__?: unknown };
  if (typeof type !== 'string' || plain === undefined) return value;
  const { hex } = (plain ?? {}) as { hex?: unknown };
  return type === 'uuid' && typeof hex === 'string' ? dashed(hex) : plain;
}

function dashed(hex: string): string {
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
