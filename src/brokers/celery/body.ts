import { MalformedMessageError } from '../../errors.js';
import type { ParcelProperties } from './parcel.js';

/** What a message of Celery's protocol 2 has in its body. */
export interface Body {
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
  readonly embed: Readonly<Record<string, unknown>>;
}

/** Throws `MalformedMessageError` when the body is not JSON text that can be read without loss. */
export function readBody(body: Buffer, properties: ParcelProperties): { text: string; body: Body } {
  checkContent(properties);
  const text = body.toString('utf8');
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new MalformedMessageError(`the body is not JSON: ${(error as Error).message}${hintOf(text)}`);
  }
  const large = largeInteger(text);
  if (large !== undefined) {
    throw new MalformedMessageError(
      `the body has the number ${large}, which JavaScript cannot hold exactly: send it as a text`,
    );
  }
  return { text, body: partsOf(parsed) };
}

function partsOf(parsed: unknown): Body {
  if (isObject(parsed) && 'task' in parsed) {
    throw new MalformedMessageError(
      'it is of protocol 1 of Celery: set `task_protocol = 2`, which is the default since Celery 4',
    );
  }
  const [args, kwargs, embed] = Array.isArray(parsed) ? parsed : [];
  if (!Array.isArray(args) || !isObject(kwargs ?? {})) {
    throw new MalformedMessageError('the body is not `[args, kwargs, embed]`');
  }
  return { args, kwargs: kwargs ?? {}, embed: isObject(embed) ? embed : {} };
}

const python = ['application/x-python-serialize', 'application/x-python'];

function checkContent({ contentType, contentEncoding, headers }: ParcelProperties): void {
  if (contentType !== undefined && python.includes(contentType)) {
    throw new MalformedMessageError(
      `it is pickled (${contentType}), which is never loaded, since that runs code of whoever sent it: ` +
        "set `task_serializer = 'json'` at its sender",
    );
  }
  if (contentType !== 'application/json') {
    throw new MalformedMessageError(
      `its content type is ${contentType ?? 'missing'}, and only application/json is read: ` +
        "set `task_serializer = 'json'` at its sender",
    );
  }
  if (!['utf-8', 'utf8', 'us-ascii'].includes((contentEncoding ?? 'utf-8').toLowerCase())) {
    throw new MalformedMessageError(`its content encoding is ${contentEncoding}, and only utf-8 is read`);
  }
  if (headers?.compression) {
    throw new MalformedMessageError(
      `it is compressed (${headers.compression}), which is not read: leave \`task_compression\` of its sender unset`,
    );
  }
}

/** Python writes three numbers that JSON does not have. */
function hintOf(text: string): string {
  for (const [token] of text.matchAll(tokens)) {
    if (/^-?(?:NaN|Infinity)$/.test(token)) return `. Python wrote ${token}, which JSON does not have`;
  }
  return '';
}

const tokens = /"(?:[^"\\]|\\.)*"|-?(?:NaN|Infinity)|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** An integer in the text, outside its strings, that comes out of `JSON.parse` as another. */
function largeInteger(text: string): string | undefined {
  if (!/\d{16}/.test(text)) return undefined;
  for (const [token] of text.matchAll(tokens)) {
    if (/^-?\d{16,}$/.test(token) && !Number.isSafeInteger(Number(token))) return token;
  }
  return undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
