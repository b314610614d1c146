import { ManualClock } from 'lockkeeper/testing';
import { expect, it } from 'vitest';
import { MemoryService } from '../../src/locks/memory/service.js';

it('remembering the resource that was left last changes no answer', async () => {
  for (let seed = 1; seed <= 400; seed++) {
    let s = seed * 2654435761;
    const rnd = () => {
      s = (s * 1103515245 + 12345) & 0x7fffffff;
      return s / 0x7fffffff;
    };
    const clock = new ManualClock();
    const [a, b] = [new MemoryService(clock), new MemoryService(clock)];
    const names = ['x', 'y', 'z'];
    const ids = Array.from({ length: 6 }, (_, i) => `c${i}`);
    const subs: [() => void, () => void][] = [];
    const rung = [[] as string[], [] as string[]];
    for (let i = 0; i < 300; i++) {
      const name = names[Math.floor(rnd() * 3)]!;
      const id = ids[Math.floor(rnd() * 6)]!;
      const k = rnd();
      const both = (f: (m: MemoryService, n: number) => unknown) => {
        const strip = (v: unknown) =>
          JSON.stringify(v instanceof Map ? [...v] : v, (key, x) =>
            key === 'token' || key === 'capacity' || key === 'alsoDeclared'
              ? undefined
              : typeof x === 'bigint'
                ? ''
                : x,
          );
        const t = (m: MemoryService, n: number) => {
          try {
            return strip(f(m, n));
          } catch (e) {
            return String(e);
          }
        };
        const ra = t(a, 0);
        const rb = t(b, 1);
        b.wake({ resource: name, id: 'nobody' }, () => {})(); // forgets it if it is idle
        expect(ra, `seed ${seed} step ${i}`).toBe(rb);
      };
      if (k < 0.4)
        both((m) =>
          m.enter({
            resource: name,
            claims: [{ id, message: `m${i % 3}`, redelivered: rnd() < 0 }],
            owner: 'o',
            weight: 1 + (i % 2),
            capacity: 2,
            lease: 500,
            line: i % 3 > 0,
            placeLife: 200,
            timeout: 1,
          }),
        );
      else if (k < 0.65)
        both((m) =>
          m.exit([
            { resource: name, id },
            { resource: names[i % 3]!, id },
          ]),
        );
      else if (k < 0.72)
        both((m) => m.renew([{ resource: name, id, lease: 500, serves: { task: 't', message: 'm' } }]));
      else if (k < 0.78) both((m) => m.evict({ resource: name, id }));
      else if (k < 0.84)
        subs.push([
          a.wake({ resource: name, id }, () => rung[0]!.push(name + id)),
          b.wake({ resource: name, id }, () => rung[1]!.push(name + id)),
        ]);
      else if (k < 0.9) {
        const [sub] = subs.splice(Math.floor(rnd() * subs.length), 1);
        sub?.[0]();
        sub?.[1]();
      } else if (k < 0.95)
        both((m) =>
          m.book({
            resource: name,
            id,
            limit: 10,
            per: 1000,
            burst: 2,
            cost: 1,
            reach: 1000,
            tolerance: 200,
            timeout: 1,
          }),
        );
      else await clock.advance(Math.floor(rnd() * 300));
      both((m) => {
        const { rate, ...rest } = m.inspect(name);
        return rest;
      });
      await Promise.resolve();
      await Promise.resolve();
    }
    for (const [x, y] of subs) {
      x();
      y();
    }
    await clock.advance('5s');
    for (let n = 0; n < 20; n++) for (const name of names) a.exit([{ resource: name, id: 'none' }]);
    expect(a.size).toBeLessThanOrEqual(3);
  }
}, 120_000);
