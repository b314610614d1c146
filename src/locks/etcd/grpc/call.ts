import type { ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';

/** Bytes before a message: a zero, for it is not compressed, and its length. */
export const frame = 5;

/** A call that was not answered with a message. */
export class CallFailed extends Error {
  /** What was answered instead, as gRPC counts it; `undefined` when nothing was. */
  readonly code: number | undefined;

  constructor(message: string, code?: number, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** What is answered on a stream of its own, behind its frame. Rejects with `CallFailed`. */
export function answerOf(stream: ClientHttp2Stream): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let succeeded = false;
    let answered = false;
    /** A status comes behind the message, or first when there is none. */
    const told = (headers: IncomingHttpHeaders) => {
      const failure = failureIn(headers);
      if (failure) reject(failure);
      succeeded ||= Number(headers['grpc-status'] ?? Number.NaN) === 0;
      answer();
    };
    const answer = () => {
      if (!succeeded) return;
      const [first = nothing, ...rest] = chunks;
      const whole = rest.length === 0 ? first : Buffer.concat(chunks);
      answered = isWhole(whole);
      if (answered) resolve(whole);
    };
    stream.on('response', told);
    stream.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      answer();
    });
    stream.on('trailers', told);
    stream.on('error', (error) => reject(new CallFailed(error.message, undefined, error)));
    stream.on('close', () => {
      if (!answered) reject(new CallFailed('the connection ended before the answer'));
    });
  });
}

const nothing = Buffer.alloc(0);

function failureIn(headers: IncomingHttpHeaders): CallFailed | undefined {
  const { ':status': http = 200, 'grpc-status': status } = headers;
  if (status === undefined) {
    return http === 200 ? undefined : new CallFailed(`an answer of HTTP, and not of etcd: ${http}`);
  }
  const code = Number(status);
  return code === 0 ? undefined : new CallFailed(readable(headers['grpc-message']) || `status ${code}`, code);
}

/** It is percent-encoded. */
function readable(message: string | string[] = ''): string {
  const text = String(message);
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function isWhole(answer: Buffer): boolean {
  if (answer.length < frame) return false;
  return answer.length === frame + answer.readUInt32BE(1);
}
