import { describe, expect, it } from 'vitest';
import { claimsAhead, contenderNames, contendersOf, guidOf } from '../../src/locks/zookeeper/contenders.js';
import { decodeFacts, encodeFacts } from '../../src/locks/zookeeper/facts.js';
import { capacityNote, notesAmong, pauseNote } from '../../src/locks/zookeeper/notes.js';
import { pathsOf } from '../../src/locks/zookeeper/paths.js';

describe('the node of a resource', () => {
  it.each([
    ['storage', 'storage'],
    ['tenant:42', 'tenant:42'],
    ['größe', 'größe'],
    ['a b', 'a b'],
    ['a/b', 'a%2Fb'],
    ['100%', '100%25'],
    ['', '%'],
    ['.', '%2E'],
    ['..', '%2E.'],
    ['.hidden', '.hidden'],
    ['zookeeper', '%7Aookeeper'],
    ['a\u0000b', 'a%00b'],
    ['\u{1f511}', '%F0%9F%94%91'],
    ['jobs-__lock__', 'jobs-__lock_%5F'],
  ])('%j is called %s', (resource, name) => {
    expect(pathsOf('/lk', resource)).toEqual({
      resource,
      base: `/lk/${name}`,
      queue: `/lk/${name}-__lock__`,
    });
  });

  it('is cut and digested where the name is long, so that no two are the same', () => {
    const nodes = ['x'.repeat(5_000), 'x'.repeat(5_001)].map((name) => pathsOf('', name).base);
    expect(new Set(nodes).size).toBe(2);
    for (const node of nodes) expect(node).toMatch(/^\/x{64}~[0-9a-f]{64}$/);
  });
});

describe('contenders', () => {
  const names = (children: string[]) => contendersOf(children).map(({ name }) => name);

  it('are known by the marks of kazoo and Curator, and by nothing else', () => {
    const theirs = [
      '447733804e5d4742bde7d19f07fdda22__lock__0000000003',
      'eb33f93560547ac979d997513202b4b4__rlock__0000000004',
      '_c_13156b60-1149-41ec-9c40-9922a4efb809-lock-0000000005',
      '_c_13156b60-1149-41ec-9c40-9922a4efb809-__WRIT__0000000006',
      '_c_13156b60-1149-41ec-9c40-9922a4efb809-__READ__0000000007',
      'anything__lock__0000000008',
    ];
    const others = ['447733804e5d4742bde7d19f07fdda22', '_lk-pause-1763700000000', 'lock', 'x__lock__12', ''];
    expect(names([...others, ...theirs].reverse())).toEqual(theirs);
  });

  it('keep their order when the number of a parent overflows', () => {
    const late = [
      'a__lock__2147483646',
      'b__lock__2147483647',
      'c__lock__-2147483648',
      'd__lock__-2147483647',
    ];
    expect(names([...late].reverse())).toEqual(late);
    const later = ['a__lock__-000000001', 'b__lock__0000000000'];
    expect(names([...later].reverse())).toEqual(later);
  });

  it('are named by their claim alone, however long its id is', () => {
    const ids = ['', '7', '7Qx', 'Q7x', 'é', 'sixteen letters!', 'sixteen letters!!', 'x'.repeat(200)];
    const guids = ids.map(guidOf);

    for (const guid of guids) expect(guid).toMatch(/^[0-9a-f]{32}$/);
    expect(new Set(guids).size).toBe(ids.length);
    expect(ids.map(guidOf)).toEqual(guids);
  });

  it('are counted once for both nodes of a claim', () => {
    const guid = guidOf('claim');
    const [one, other] = contenderNames(guid, 'both');
    const line = contendersOf([`${one}0000000001`, `${other}0000000002`, 'x__lock__0000000003']);
    expect(line.map(({ who }) => who)).toEqual([guid, guid, 'x']);
    expect(claimsAhead(line, 'x__lock__0000000003')).toBe(1);
  });

  it('bear names that kazoo and Curator know, the same for the same claim', () => {
    const guid = guidOf('claim');
    const dashed = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
    expect(guid).toMatch(/^[0-9a-f]{32}$/);
    expect(guidOf('another')).not.toBe(guid);
    expect(contenderNames(guid, 'lock')).toEqual([`${guid}__lock__`]);
    expect(contenderNames(guid, 'curator')[0]).toMatch(new RegExp(`^_c_${dashed}-lock-$`));
    expect(contenderNames(guid, 'both')).toHaveLength(2);
    // Curator sorts a name that it does not know as a text among the numbers.
    expect(contenderNames(guid, 'both')[0]! > '9').toBe(true);
  });
});

describe('what a node says', () => {
  const facts = { id: 'a', owner: 'host\nwith:lines', task: 't"\n', lease: 15_000, weight: 2, capacity: 3 };

  it('begins with its owner, for kazoo shows it', () => {
    expect(encodeFacts({ ...facts, owner: 'host:7:x' })).toMatch(/^host:7:x\n\{"lk":1,/);
    expect(decodeFacts(Buffer.from(encodeFacts(facts)))).toEqual(facts);
  });

  it.each(['', 'worker-7', 'two\nlines', 'x\n{"lk":2}', '\n', '{"lk":1}'])(
    'is the owner alone where it is another program: %j',
    (text) => expect(decodeFacts(Buffer.from(text))).toEqual({ owner: text }),
  );
});

describe('notes', () => {
  it('count until their time is over; of several, the one that holds up more', () => {
    const now = 1_000_000;
    const children = [
      pauseNote(now + 5),
      pauseNote(now + 9),
      pauseNote(now),
      capacityNote(5, undefined),
      capacityNote(3, now + 1),
      capacityNote(1, now - 1),
      '_lk-of-a-later-version',
      '447733804e5d4742bde7d19f07fdda22__lock__0000000003',
    ];
    expect(notesAmong(children, now)).toEqual({
      pause: { name: pauseNote(now + 9), until: now + 9 },
      override: { name: capacityNote(3, now + 1), capacity: 3, until: now + 1 },
      over: [pauseNote(now), capacityNote(1, now - 1)],
    });
    expect(notesAmong(['a'], now)).toEqual({ over: [] });
  });
});
