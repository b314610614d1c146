import { describe, expect, it } from 'vitest';
import { answer, cli } from './kit.js';

const app = 'busy.js';
const ask = (...args: string[]) => cli(args, app);

describe('lockkeeper locks', () => {
  it('shows resources with their holders, lines and rooms', async () => {
    const { code, output, errors } = await ask('locks');
    expect(code).toBe(0);
    expect(output).toMatch(/^storage · 2 at once · 2 held · on memory$/m);
    expect(output).toMatch(
      /^ {2}held by {2}\S+:\d+ {2}save save-0 {2}for .* lease ends in .* id \S+ {2}token \d+$/m,
    );
    expect(output).toMatch(/^ {2}in line {2}\S+:\d+ .* id \S+$/m);
    expect(output).toMatch(/^ {2}parked {2}4 messages {2}queue default {2}oldest waits for /m);
    expect(output).toMatch(/^sms · 100\/m, burst 10 · on memory$/m);
    expect(errors).toContain('in the memory of each process');
  });

  it('shows those that are named, and answers with what the API does', async () => {
    const { output } = await ask('locks', 'tenant:acme', 'storage');
    expect(output).toMatch(/^tenant:acme · 3 at once · 0 held · on memory\n\nstorage · 2 at once/);
    const [storage] = await answer(['locks', 'storage'], app);
    expect(storage).toMatchObject({
      resource: 'storage',
      coordinator: 'memory',
      declared: { capacity: 2 },
      used: 2,
      rooms: [{ queue: 'default', parked: 4 }],
    });
    expect(storage.holders[0]).toMatchObject({ task: 'save', token: expect.stringMatching(/^\d+$/) });
  });

  it('changes a resource, and tells what it did', async () => {
    const { output } = await ask('locks', 'set', 'storage', '5', '--expires', '1h');
    expect(output).toBe('storage: a capacity of 5 counts for everybody, for 1 h\n');
    const [paused] = await answer(['locks', 'pause', 'sms', '30s', '--reason', 'ticket 12'], app);
    expect(paused).toMatchObject({
      resource: 'sms',
      change: { kind: 'pause', duration: 30_000 },
      reason: 'ticket 12',
      by: expect.any(String),
    });
    expect((await ask('locks', 'set', 'storage', 'default')).output).toContain(
      'that is declared counts again',
    );
    expect((await ask('locks', 'resume', 'sms')).output).toBe('sms: resumed\n');
  });

  it('takes a permit away by the call that it is held for, and fails when there is none', async () => {
    const taken = await ask('locks', 'release', 'storage', 'save-1', '--reason', 'stuck');
    expect(taken.code).toBe(0);
    expect(taken.output).toMatch(/^storage: taken away: \S+\n$/);
    const missed = await ask('locks', 'release', 'storage', 'save-99', '--reason', 'stuck');
    expect(missed.code).toBe(1);
    expect(missed.output).toContain('Nothing of storage is held, waited for or booked under this id');
  });
});

describe('lockkeeper why', () => {
  it('tells what a deferred call waits for, and who holds it', async () => {
    const { code, output } = await ask('why', 'save-4', '--watch', '50ms');
    expect(code).toBe(0);
    expect(output).toMatch(/^save save-4 \(queue default\) is deferred: storage was busy$/m);
    expect(output).toMatch(/^ {2}1 deferral$/m);
    expect(output).toMatch(/^ {2}2 messages before it in its room$/m);
    expect(output).toMatch(/^ {2}no estimate: none of those before it moved in 50 ms$/m);
    expect(output).toMatch(/^storage · 2 at once · 2 held · on memory\n {2}held by {2}\S+ {2}save save-0 /m);
  });

  it('tells a call that runs, is delayed, has ended, or was set aside', async () => {
    const [running, delayed, ended, apart] = await Promise.all(
      ['save-0', 'later', 'sent', 'foreign'].map((id) => ask('why', id, '--watch', '0')),
    );
    expect(running?.output).toMatch(/is running: it is in a worker's hands\n/);
    expect(running?.output).toMatch(/^storage · .* · held for this call · on memory\n {2}held by /m);
    expect(delayed?.output).toMatch(/^send later \(queue mail\) is delayed\n/);
    expect(delayed?.output).toMatch(/^ {2}next try in (1 h|60 min)$/m);
    expect(ended?.output).toMatch(/^sent has ended: done\n/);
    expect(apart?.output).toContain('because no task "nowhere" is known here');
    expect(apart?.output).toContain('lockkeeper aside retry foreign');
  });

  it('looks into other queues when they are named, and fails for what nobody knows', async () => {
    const [unknown, found] = await Promise.all([
      ask('why', 'elsewhere', '--watch', '0'),
      ask('why', 'elsewhere', '--watch', '0', '--queues', 'elsewhere,mail'),
    ]);
    expect(unknown).toMatchObject({ code: 1, output: expect.stringContaining('elsewhere is unknown') });
    expect(found?.output).toMatch(
      /^send elsewhere \(queue elsewhere\) is queued: no worker has taken it yet$/m,
    );
    expect(await answer(['why', 'nobody'], app)).toMatchObject({ id: 'nobody', state: 'unknown' });
  });
});

it('lockkeeper queues tells how many messages are where', async () => {
  const { output } = await ask('queues');
  expect(output).toMatch(
    /^queue +ready +delayed +parked +running +apart\ndefault +0 +0 +4 +2 +1\nmail +0 +1 +0 +0 +0$/m,
  );
  expect(output).toMatch(/^Parked in default, for\n {2}storage {2}4 {2}oldest waits for /m);
  const queues = await answer(['queues', '--queues', 'elsewhere'], app);
  expect(queues).toEqual([
    { queue: 'elsewhere', ready: 1, delayed: 0, parked: 0, running: 0, apart: 0, rooms: [] },
  ]);
});

describe('lockkeeper aside', () => {
  it('lists what was set aside, and shows one', async () => {
    const { output } = await ask('aside');
    expect(output).toMatch(/^id +call +task +queue +since +reason$/m);
    expect(output).toMatch(/foreign +nowhere +default +.* ago +no task "nowhere" is known here$/m);
    expect((await ask('aside', 'list', '--task', 'save')).output).toBe('Nothing is set aside.\n');
    const show = await ask('aside', 'show', 'foreign');
    expect(show.output).toMatch(/^args +\[\{"n":1\}\]$/m);
    expect((await ask('aside', 'show', 'nobody')).code).toBe(1);
  });

  it('puts messages back, or drops them', async () => {
    const [retried, dropped, none] = await Promise.all([
      ask('aside', 'retry', 'foreign'),
      answer(['aside', 'drop', '--all'], app),
      ask('aside', 'drop', '--all', '--task', 'save'),
    ]);
    expect(retried?.output).toMatch(/^1 message put back\n {2}\S+ {2}foreign {2}nowhere {2}default\n$/);
    expect(dropped).toMatchObject([{ message: { id: 'foreign' }, queue: 'default' }]);
    expect(none).toMatchObject({ code: 1, output: 'No such message is set aside.\n' });
  });
});
