import { parseCelery } from '../celery-json.js';
import { type RemoteError, toRemoteError } from '../message.js';
import type { StoredState } from './result-store.js';

/**
 * A state as Celery writes it, so that a Celery client that knows the id reads what became of the task, and what a Celery
 * worker wrote is read here. What Celery has no field for is in `lockkeeper`.
 */
interface Meta {
  readonly status: string;
  readonly result: unknown;
  readonly traceback: string | null;
  readonly children: readonly [];
  readonly date_done: string | null;
  readonly task_id: string;
  readonly lockkeeper?: Own;
}

/** The state without what Celery has a field for. `empty`: it returned nothing, not even null. */
type Own = { readonly state: StoredState['state']; readonly at: number; readonly empty?: true };

const celeryModule = 'celery.exceptions';

interface Exception {
  readonly exc_type: string;
  readonly exc_message: readonly unknown[] | string;
  readonly exc_module?: string;
}

/** Celery waits for one of the last three. */
type Status = 'PENDING' | 'STARTED' | 'RETRY' | 'SUCCESS' | 'FAILURE' | 'REVOKED';

/** Those that Celery takes for an end and that are never overwritten. */
export const finalStatuses: readonly Status[] = ['SUCCESS', 'FAILURE', 'REVOKED'];

export function encodeState(id: string, state: StoredState): string {
  const { status, result = null, traceback = null, own } = split(state);
  const isFinal = finalStatuses.includes(status);
  const meta: Meta = {
    status,
    result,
    traceback,
    children: [],
    date_done: isFinal ? new Date(state.at).toISOString().replace('Z', '+00:00') : null,
    task_id: id,
    lockkeeper: own,
  };
  return JSON.stringify(meta);
}

interface Split {
  readonly status: Status;
  readonly result?: unknown;
  readonly traceback?: string | undefined;
  readonly own: Own;
}

function split(state: StoredState): Split {
  switch (state.state) {
    case 'started':
      return { status: 'STARTED', own: state };
    case 'deferred':
    case 'aside':
      return { status: 'PENDING', own: state };
    case 'retrying':
      return { status: 'RETRY', ...splitError(state) };
    case 'done': {
      const { value, ...own } = state;
      return { status: 'SUCCESS', result: value, own: value === undefined ? { ...own, empty: true } : own };
    }
    case 'failed':
      return { status: 'FAILURE', ...splitError(state) };
    case 'skipped':
      return { status: 'FAILURE', result: exception('TaskSkippedError', state.reason), own: state };
    case 'expired':
    case 'revoked': {
      return {
        status: 'REVOKED',
        result: exception('TaskRevokedError', state.state, celeryModule),
        own: state,
      };
    }
  }
}

function splitError(state: StoredState & { readonly error: RemoteError }): Omit<Split, 'status'> {
  const { stack, ...error } = state.error;
  return {
    result: exceptionOf(error),
    traceback: stack,
    own: Object.assign({ ...state }, { error }),
  };
}

/** A type that Python does not have is made up by whoever reads this. */
function exception(type: string, message: string, module = 'builtins'): Exception {
  return { exc_type: type, exc_message: [message], exc_module: module };
}

/** What is Celery's own there, by its code here. */
const celeryTypes: Readonly<Record<string, string>> = {
  TIME_LIMIT: 'TimeLimitExceeded',
  SOFT_TIME_LIMIT: 'SoftTimeLimitExceeded',
  REVOKED: 'TaskRevokedError',
};

function exceptionOf({ name, message, code = '' }: RemoteError): Exception {
  const type = Object.hasOwn(celeryTypes, code) ? celeryTypes[code] : undefined;
  return type === undefined ? exception(name, message) : exception(type, message, celeryModule);
}

/** Nothing where a Celery worker wrote a state that says nothing. */
export function decodeState(text: string): StoredState | undefined {
  try {
    const meta = text.includes('"lockkeeper":') ? (JSON.parse(text) as Meta) : undefined;
    return meta?.lockkeeper ? ours(meta, meta.lockkeeper) : foreign(parseCelery(text, 'the result') as Meta);
  } catch (error) {
    return { state: 'failed', at: 0, error: toRemoteError(error) };
  }
}

function ours({ result, traceback }: Meta, { empty, ...own }: Own): StoredState {
  if (own.state === 'done') return (empty ? own : { ...own, value: result }) as StoredState;
  if (!('error' in own) || traceback === null) return own as StoredState;
  return { ...own, error: { ...(own.error as RemoteError), stack: traceback } } as unknown as StoredState;
}

function foreign({ status, result, traceback, date_done }: Meta): StoredState | undefined {
  const at = Date.parse(date_done ?? '') || 0;
  switch (status) {
    case 'STARTED':
      return { state: 'started', at };
    case 'RETRY':
      return { state: 'retrying', at, error: foreignError(result, traceback) };
    case 'SUCCESS':
      return { state: 'done', at, value: result };
    case 'FAILURE':
      return { state: 'failed', at, error: foreignError(result, traceback) };
    case 'REVOKED':
      return { state: 'revoked', at };
    default:
      return undefined;
  }
}

function foreignError(result: unknown, traceback: string | null): RemoteError {
  const { exc_type: type, exc_message: message } = (result ?? {}) as Partial<Exception>;
  const text = Array.isArray(message) ? message.map(String).join(', ') : String(message ?? '');
  return { name: type ?? 'Error', message: text, ...(traceback !== null && { stack: traceback }) };
}

/** The id of the task that it is the state of. */
export function taskIdIn(text: string): string | undefined {
  try {
    const { task_id: id } = JSON.parse(text) as Partial<Meta>;
    return typeof id === 'string' ? id : undefined;
  } catch {
    return undefined;
  }
}
