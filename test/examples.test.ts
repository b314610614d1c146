import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { root, runNode } from './support/program.js';
import { useShared } from './support/servers/index.js';

/** Not run here: the demo, which works on a whole folder of packages. */
const demo = 'archive-packages.ts';

const examples = readdirSync(new URL('../examples', import.meta.url), { withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && entry.name !== demo)
  .map(({ name }) => name);

const redis = useShared('redis');
const etcd = useShared('etcd');

const promisedBy = (name: string): string | undefined =>
  /^\/\/ prints: (.*)$/m.exec(readFileSync(`${root}/examples/${name}`, 'utf8'))?.[1];

describe('the examples', () => {
  it('are there', () => {
    expect(examples).toContain('ways-to-write-a-task.ts');
  });

  it.each(examples)('run to their end: %s', { timeout: 60_000 }, async (name) => {
    const { code, output, errors } = await runNode(['--import', 'tsx', `examples/${name}`]);
    expect({ code, errors }).toEqual({ code: 0, errors: '' });
    const promised = promisedBy(name);
    if (promised !== undefined) expect(output.trimEnd().split('\n').at(-1)).toBe(promised);
  });

  it.each([
    ['Redis', () => ({ LOCKKEEPER_BROKER: redis.url })],
    ['Redis and etcd', () => ({ LOCKKEEPER_BROKER: redis.url, LOCKKEEPER_COORDINATOR: etcd.url })],
  ])('run the same on %s, by environment variables', { timeout: 60_000 }, async (_, env) => {
    const name = 'memory-or-redis.ts';
    const { code, output, errors } = await runNode(['--import', 'tsx', `examples/${name}`], env());
    expect({ code, errors }).toEqual({ code: 0, errors: '' });
    expect(output.trimEnd()).toBe(promisedBy(name));
  });
});
