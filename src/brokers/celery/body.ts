import { parseCelery } from '../../celery-json.js';
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
  return { text, body: partsOf(parseCelery(text, 'the body')) };
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

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
