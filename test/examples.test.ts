import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { root, runNode } from './support/program.js';

/** Not run here: the demo, which works on a whole folder of packages. */
const demo = 'archive-packages.ts';

const examples = readdirSync(new URL('../examples', import.meta.url), { withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && entry.name !== demo)
  .map(({ name }) => name);

describe('the examples', () => {
  it('are there', () => {
    expect(examples).toContain('ways-to-write-a-task.ts');
  });

  it.each(examples)('run to their end: %s', { timeout: 60_000 }, async (name) => {
    const { code, output, errors } = await runNode(['--import', 'tsx', `examples/${name}`]);
    expect({ code, errors }).toEqual({ code: 0, errors: '' });
    const promised = /^\/\/ prints: (.*)$/m.exec(readFileSync(`${root}/examples/${name}`, 'utf8'))?.[1];
    if (promised !== undefined) expect(output.trimEnd().split('\n').at(-1)).toBe(promised);
  });
});
