import { types } from 'node:util';
import { ConfigError, MalformedMessageError, MessageError, show } from './errors.js';
import { messageIn, parseObject } from './message-fields.js';

/**
 * One call of a task, on its way. The fields are those of Celery's message protocol 2 where it has them; its wire form
 * on every broker but RabbitMQ is one compact JSON value.
 */
export interface Message {
  readonly id: string;
  readonly task: string;
  readonly args: readonly unknown[];
  /** Arguments by name, as calls to and from Python have them. */
  readonly kwargs?: Readonly<Record<string, unknown>>;
  /** Attempts used up: runs whose body returned or threw of itself. */
  readonly retries: number;
  /** Times it was put back because a resource was busy. Never an attempt. */
  readonly deferrals: number;
  /** 0 to 9, higher first. */
  readonly priority: number;
  /** Milliseconds since 1970: when it is too late to start. */
  readonly expires?: number;
  /**
   * The shares its limits ask for, in the order of the task's limits; null where it is not limited. Absent when they
   * depend on no arguments, and when the sender does not know the task.
   */
  readonly shares?: readonly (Share | null)[];
  /** The id under which its starts are booked, when they are. */
  readonly booking?: string;
  /** Milliseconds since 1970: when its delay ends. Absent when it was sent, or came back, without one. */
  readonly eta?: number;
  /** While it is delayed because of it: the resource that refused. Of a parked message its room tells. */
  readonly refusedBy?: string;
  /** Milliseconds since 1970: the first deferral since it last ran. */
  readonly deferredAt?: number;
  /** Set once `deferredAt` is so long ago that it was warned of. */
  readonly warned?: boolean;
  /** Workers that died with it, as far as their permits were waited for. */
  readonly losses?: number;
  /** Times it was taken from a room and moved to another. */
  readonly moves?: number;
  /** Overrides of the task's retry policy, given with this call. */
  readonly retry?: MessageRetry;
  readonly ignoreResult?: boolean;
  /** How long a run may take, in place of the task's own limits. */
  readonly timeLimit?: MessageTimeLimit;
  /** Where its caller listens for what becomes of it, when results are sent and not kept. */
  readonly reply?: Reply;
  /** What came with it from Celery and has no field here, kept so that it goes back as it came. */
  readonly celery?: FromCelery;
  /** Milliseconds since 1970. */
  readonly sentAt: number;
  /** Host and process that sent it. */
  readonly origin?: string;
  /** The task in whose run it was sent, and the first of that family. */
  readonly parentId?: string;
  readonly rootId?: string;
}

/** A limit's key and weight (or cost), computed once and never again. */
export interface Share {
  readonly key: string;
  readonly weight: number;
}

export interface MessageRetry {
  readonly max?: number;
  readonly delay?: number;
}

/** Milliseconds. */
export interface MessageTimeLimit {
  readonly soft?: number;
  readonly hard?: number;
}

/** A queue for replies, and what they are told apart by there: the id of the message, unless this says something else. */
export interface Reply {
  readonly to: string;
  readonly correlationId?: string;
}

export interface FromCelery {
  readonly headers: Readonly<Record<string, unknown>>;
}

/** An error as it travels: enough to throw it again as what it was. */
export interface RemoteError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  readonly code?: string;
}

/** The message as it was sent first: nothing that happened to it since counts any more. */
export function asNew(message: Message): Message {
  const { eta, refusedBy, deferredAt, warned, moves, booking, losses, ...sent } = message;
  return { ...sent, retries: 0, deferrals: 0 };
}

/** The layout of the text. It stands in it only from the second on. */
const version = 1;

/** The message as text: what is 0 or absent is left out, and a share of weight 1 is its key. */
export function encode(message: Message): string {
  // A spread that adds no property is quicker than `changed`: a message that is sent has all of these.
  return JSON.stringify({
    ...message,
    shares: message.shares?.map((share) => (share?.weight === 1 ? share.key : share)),
    retries: message.retries || undefined,
    deferrals: message.deferrals || undefined,
    priority: message.priority || undefined,
  });
}

export function checkSize(text: string, maxBytes: number, what: string): void {
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) {
    throw new MessageError(
      `${what} is ${bytes} bytes, and ${maxBytes} are allowed: ` +
        'send a reference to the data, or raise `maxMessageBytes` of the app',
    );
  }
}

/** The message in a text. Throws `MalformedMessageError` with the reason when there is none. */
export function decode(text: string): Message {
  const raw = parseObject(text);
  if (raw.v !== undefined && raw.v !== version) {
    throw new MalformedMessageError(`unknown message version ${show(raw.v)}`);
  }
  return messageIn(raw);
}

/**
 * Throws `MessageError` unless the value comes out of JSON as it went in (`undefined` is allowed only as a property,
 * which JSON leaves out). Gives the most bytes that its JSON can have.
 */
export function checkTravels(value: unknown, path: string, depth = 0): number {
  switch (typeof value) {
    case 'string':
      return value.length * 6 + 3;
    case 'boolean':
      return 6;
    case 'number':
      if (Number.isFinite(value)) return 25;
      throw new MessageError(`${path} is ${value}, which JSON cannot carry: send null or a text`);
    case 'object':
      return value === null ? 5 : checkObjectTravels(value, path, depth + 1);
    default:
      throw new MessageError(`${path} is ${describe(value)}, which JSON cannot carry`);
  }
}

const deepest = 1_000;

function checkObjectTravels(value: object, path: string, depth: number): number {
  if (depth > deepest)
    throw new MessageError(`${path.slice(0, 80)}… is nested too deeply, or contains itself`);
  let bytes = 2;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) bytes += checkTravels(value[i], `${path}[${i}]`, depth);
    return bytes;
  }
  if (!isPlain(value)) {
    throw new MessageError(
      `${path} is ${describe(value)}, which would not arrive as one: send plain data instead`,
    );
  }
  for (const [key, item] of Object.entries(value)) {
    if (item !== undefined) bytes += key.length * 6 + 4 + checkTravels(item, `${path}.${key}`, depth);
  }
  return bytes;
}

/** Plain objects of another realm, as test runners have them, are plain too. */
function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
}

function describe(value: unknown): string {
  if (value instanceof Date) return 'a Date (send its `toISOString()` or `getTime()`)';
  if (typeof value === 'bigint') return 'a bigint (send it as a text)';
  return value === undefined ? 'undefined (send null)' : show(value);
}

/** An error made ready to travel. What was thrown need not be an Error. */
export function toRemoteError(error: unknown): RemoteError {
  if (!(error instanceof Error || types.isNativeError(error))) {
    return { name: 'Error', message: `A value that is not an Error was thrown: ${show(error)}` };
  }
  const code = (error as { code?: unknown }).code;
  return {
    name: textOf(error.name, 'Error'),
    message: textOf(error.message, ''),
    stack: error.stack === undefined ? undefined : String(error.stack),
    code: typeof code === 'string' ? code : undefined,
  };
}

/** Errors may bear anything. */
function textOf(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise;
}

const builtIns = new Map<string, ErrorConstructor>(
  [EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map((type) => [type.name, type]),
);

/** The error as it was, as far as it can be rebuilt here: same name, message, stack and code. */
export function fromRemoteError(remote: RemoteError): Error {
  const error = new (builtIns.get(remote.name) ?? Error)(remote.message);
  if (error.name !== remote.name)
    Object.defineProperty(error, 'name', { value: remote.name, configurable: true });
  if (remote.stack !== undefined)
    Object.defineProperty(error, 'stack', { value: remote.stack, configurable: true, writable: true });
  if (remote.code !== undefined) Object.assign(error, { code: remote.code });
  return error;
}

/** Throws unless `value` is a priority. */
export function checkPriority(value: unknown): number {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 9) return value as number;
  throw ConfigError.expected('priority', 'a whole number from 0 to 9 (9 comes first)', value);
}
