import { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { AmqpConnection } from '../../src/rabbitmq/client.js';
import { gatherWrites } from '../../src/rabbitmq/gather.js';

/** A socket that keeps what each call of the system would have sent. */
class Wire extends Duplex {
  readonly sent: string[] = [];

  override _read(): void {}

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.sent.push(chunk.toString());
    done();
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.sent.push(chunks.map(({ chunk }) => chunk.toString()).join(''));
    done();
  }
}

function gathered(): Wire {
  const stream = new Wire();
  gatherWrites({ connection: { stream } } as unknown as AmqpConnection);
  return stream;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('what is written to a server', () => {
  it('goes out together when it was written in one turn, in its order', async () => {
    const wire = gathered();
    for (const text of ['a', 'b', 'c']) wire.write(text);
    await turn();
    wire.write('d');
    await turn();
    expect(wire.sent).toEqual(['abc', 'd']);
  });

  it('goes out before the end of the stream', async () => {
    const wire = gathered();
    wire.write('a');
    wire.end('b');
    await turn();
    expect(wire.sent.join('')).toBe('ab');
  });

  it('is written as before where there is no such stream', () => {
    expect(() => gatherWrites({} as AmqpConnection)).not.toThrow();
  });
});
