import { describe, expect, it } from 'vitest';
import type { Parcel } from '../../src/brokers/celery/parcel.js';
import { celeryWire } from '../../src/brokers/celery/wire.js';
import { MalformedMessageError } from '../../src/errors.js';
import type { Message } from '../../src/message.js';

const wire = celeryWire(() => 1_000);

/** What Celery 5.2 publishes for `apply_async((4, 5), {'c': 6}, …)` with a countdown, limits and a header of its caller's. */
const fromCelery: Parcel = {
  body: Buffer.from(
    '[[4, 5], {"c": 6}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]',
  ),
  properties: {
    contentType: 'application/json',
    contentEncoding: 'utf-8',
    persistent: true,
    priority: 5,
    correlationId: 'eaf21f09-6af3-45c5-a130-01db6a2f5c4a',
    replyTo: 'b1d66496-33e9-3495-95bf-dc70e4ff94f4',
    headers: {
      lang: 'py',
      task: 'tasks.add',
      id: 'eaf21f09-6af3-45c5-a130-01db6a2f5c4a',
      shadow: null,
      eta: '2026-11-28T03:56:13.285734+00:00',
      expires: '2026-11-28T03:57:13.285734+00:00',
      group: null,
      group_index: null,
      retries: 0,
      timelimit: [30, 0.5],
      root_id: 'eaf21f09-6af3-45c5-a130-01db6a2f5c4a',
      parent_id: null,
      argsrepr: '(4, 5)',
      kwargsrepr: "{'c': 6}",
      origin: 'gen18639@vm',
      ignore_result: true,
      'x-trace': 'abc',
    },
  },
};

const minimal = (body: string, properties: Partial<Parcel['properties']> = {}): Parcel => ({
  body: Buffer.from(body),
  properties: {
    contentType: 'application/json',
    headers: { task: 'tasks.add', id: 'id' },
    ...properties,
  },
});

describe('a message from Celery', () => {
  it('is read with all that its caller said', () => {
    expect(wire.decode(fromCelery)).toEqual({
      id: 'eaf21f09-6af3-45c5-a130-01db6a2f5c4a',
      task: 'tasks.add',
      args: [4, 5],
      kwargs: { c: 6 },
      retries: 0,
      deferrals: 0,
      priority: 5,
      eta: Date.UTC(2026, 10, 28, 3, 56, 13, 285),
      expires: Date.UTC(2026, 10, 28, 3, 57, 13, 285),
      timeLimit: { hard: 30_000, soft: 500 },
      ignoreResult: true,
      origin: 'gen18639@vm',
      sentAt: 1_000,
      reply: { to: 'b1d66496-33e9-3495-95bf-dc70e4ff94f4' },
      celery: {
        headers: {
          lang: 'py',
          shadow: null,
          group: null,
          group_index: null,
          argsrepr: '(4, 5)',
          kwargsrepr: "{'c': 6}",
          'x-trace': 'abc',
        },
      },
    });
  });

  it('goes back as it came, to the byte of its body, but for what changed', () => {
    const message = wire.decode(fromCelery);
    const again = wire.encode({ ...message, retries: 1, deferrals: 3, eta: undefined });

    expect(again.body).toEqual(fromCelery.body);
    expect(again.properties).toEqual({
      ...fromCelery.properties,
      headers: {
        ...fromCelery.properties.headers,
        eta: null,
        retries: 1,
        expires: '2026-11-28T03:57:13.285+00:00',
        lockkeeper: '{"sentAt":1000,"deferrals":3}',
      },
    });
  });

  it('goes back with what it was changed to, when it was', () => {
    const message = wire.decode(fromCelery);
    const again = wire.encode({ ...message, args: ['other'] });
    expect(JSON.parse(again.body.toString()).slice(0, 2)).toEqual([['other'], { c: 6 }]);
  });

  it('keeps what happened to it here over as many journeys as it takes', () => {
    const lived: Message = {
      ...wire.decode(fromCelery),
      deferrals: 7,
      shares: [{ key: 'a', weight: 1 }, null, { key: 'b', weight: 2 }],
      booking: 'booked',
      refusedBy: 'a',
      deferredAt: 5,
      warned: true,
      losses: 2,
      moves: 1,
      retry: { max: 3, delay: 10 },
    };

    expect(wire.decode(wire.encode(wire.decode(wire.encode(lived))))).toEqual(lived);
  });

  it('is read when it has only what a Celery worker needs of it', () => {
    expect(wire.decode(minimal('[[1],{},null]'))).toMatchObject({
      id: 'id',
      args: [1],
      retries: 0,
      priority: 0,
    });
  });

  it('leaves behind what RabbitMQ said of its way', () => {
    const headers = {
      ...fromCelery.properties.headers,
      'x-death': [{ count: 1 }],
      'x-first-death-queue': 'q',
      'x-last-death-reason': 'expired',
      'x-delivery-count': 2,
    };
    const { celery } = wire.decode({ ...fromCelery, properties: { ...fromCelery.properties, headers } });

    expect(Object.keys(celery?.headers ?? {}).filter((name) => name.startsWith('x-'))).toEqual(['x-trace']);
  });

  it.each([
    ['2026-11-28T03:00:00', Date.UTC(2026, 10, 28, 3)],
    ['2026-11-28T03:00:00Z', Date.UTC(2026, 10, 28, 3)],
    ['2026-11-28T03:00:00.5+02:00', Date.UTC(2026, 10, 28, 1, 0, 0, 500)],
  ])('may say its time as %s', (eta, ms) => {
    const headers = { task: 'a', id: 'b', eta };
    expect(wire.decode(minimal('[[],{},{}]', { headers })).eta).toBe(ms);
  });

  it('of a higher priority than there is has the highest', () => {
    expect(wire.decode(minimal('[[],{},{}]', { priority: 200 })).priority).toBe(9);
  });
});

describe('a message that cannot be read', () => {
  const headers = { task: 'tasks.add', id: 'id' };
  it.each<[string, Parcel, RegExp]>([
    [
      'is pickled',
      minimal('\x80\x04', { contentType: 'application/x-python-serialize' }),
      /pickled .* never loaded.* `task_serializer = 'json'`/,
    ],
    ['is YAML', minimal('a: 1', { contentType: 'application/x-yaml' }), /is application\/x-yaml, and only/],
    ['has no content type', minimal('[]', { contentType: undefined }), /content type is missing/],
    ['is in UTF-16', minimal('[]', { contentEncoding: 'utf-16' }), /encoding is utf-16/],
    [
      'is compressed',
      minimal('x', { headers: { ...headers, compression: 'application/x-gzip' } }),
      /compressed \(application\/x-gzip\)/,
    ],
    ['is no JSON', minimal('{'), /the body is not JSON/],
    ['has NaN', minimal('[[NaN],{},{}]'), /Python wrote NaN, which JSON does not have/],
    ['has -Infinity', minimal('[["a",-Infinity],{},{}]'), /Python wrote -Infinity/],
    ['has a large integer', minimal('[[12345678901234567890],{},{}]'), /number 12345678901234567890, which/],
    ['is of protocol 1', minimal('{"task":"a","id":"b","args":[]}'), /protocol 1 of Celery/],
    ['has no list of parts', minimal('{"a":1}'), /not `\[args, kwargs, embed\]`/],
    ['has arguments that are no list', minimal('["a",{},{}]'), /not `\[args, kwargs, embed\]`/],
    ['names no task', minimal('[[],{},{}]', { headers: { id: 'b' } }), /no header `task`/],
    ['has no id', minimal('[[],{},{}]', { headers: { task: 'b' } }), /has no `id`/],
    [
      'has a time that is none',
      minimal('[[],{},{}]', { headers: { ...headers, eta: 'soon' } }),
      /`eta` is "soon"/,
    ],
    ['links to another', minimal('[[],{},{"callbacks":[{}]}]'), /a `link`, which only workers of Celery/],
    ['links its errors', minimal('[[],{},{"errbacks":[{}]}]'), /a `link_error`/],
    ['is the head of a chain', minimal('[[],{},{"chain":[{}]}]'), /a chain behind it/],
    ['is part of a chord', minimal('[[],{},{"chord":{}}]'), /a chord behind it/],
  ])('says why when it %s', (_, parcel, reason) => {
    expect(() => wire.decode(parcel)).toThrow(MalformedMessageError);
    expect(() => wire.decode(parcel)).toThrow(reason);
  });

  it('is not one that has its digits in a text, or a large number that is exact enough', () => {
    expect(wire.decode(minimal('[["12345678901234567890", 1e300, 0.1234567890123456],{},{}]')).args).toEqual([
      '12345678901234567890',
      1e300,
      0.1234567890123456,
    ]);
  });
});

describe('a message to Celery', () => {
  const message: Message = {
    id: 'id',
    task: 'tasks.add',
    args: [1, 'two', [true, null], { a: 1.5 }],
    kwargs: { c: 3 },
    retries: 0,
    deferrals: 0,
    priority: 4,
    eta: Date.UTC(2026, 0, 1),
    timeLimit: { soft: 1_500, hard: 2_000 },
    sentAt: 7,
    origin: '1@host',
    reply: { to: 'queue' },
  };

  it('has all that Celery and its tools look at', () => {
    const { body, properties } = wire.encode(message);
    expect(JSON.parse(body.toString())).toEqual([
      [1, 'two', [true, null], { a: 1.5 }],
      { c: 3 },
      { callbacks: null, errbacks: null, chain: null, chord: null },
    ]);
    expect(properties).toEqual({
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      persistent: true,
      priority: 4,
      correlationId: 'id',
      replyTo: 'queue',
      headers: {
        lang: 'js',
        task: 'tasks.add',
        id: 'id',
        shadow: null,
        eta: '2026-01-01T00:00:00.000+00:00',
        expires: null,
        group: null,
        group_index: null,
        retries: 0,
        timelimit: [2, 1.5],
        root_id: 'id',
        parent_id: null,
        argsrepr: "(1, 'two', [True, None], {'a': 1.5})",
        kwargsrepr: "{'c': 3}",
        origin: '1@host',
        ignore_result: false,
        lockkeeper: '{"sentAt":7}',
      },
    });
  });

  it('comes back as it was sent', () => {
    expect(wire.decode(wire.encode(message))).toEqual(message);
    const reply = { to: 'queue', correlationId: 'another' };
    expect(wire.decode(wire.encode({ ...message, reply, rootId: 'root' }))).toMatchObject({
      reply,
      rootId: 'root',
    });
  });

  it('keeps a result that is to be kept in any case', () => {
    expect(wire.decode(wire.encode({ ...message, ignoreResult: false })).ignoreResult).toBe(false);
    expect(wire.decode(wire.encode({ ...message, ignoreResult: true })).ignoreResult).toBe(true);
  });

  it('prints its arguments as Python does, and not all of what is long', () => {
    const reprOf = (args: unknown[]) => wire.encode({ ...message, args }).properties.headers?.argsrepr;
    expect(reprOf([5])).toBe('(5,)');
    expect(reprOf([])).toBe('()');
    expect(String(reprOf(['x'.repeat(5_000)]))).toHaveLength(1_024);
  });
});
