import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

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
    const { code, output, errors } = await run(`examples/${name}`);
    expect({ code, errors }).toEqual({ code: 0, errors: '' });
    const promised = /^\/\/ prints: (.*)$/m.exec(readFileSync(`${root}/examples/${name}`, 'utf8'))?.[1];
    if (promised !== undefined) expect(output.trimEnd().split('\n').at(-1)).toBe(promised);
  });
});

/** Runs a program with the embedded default, for 30 s at most. */
async function run(path: string): Promise<{ code: number | null; output: string; errors: string }> {
  const { LOCKKEEPER_BROKER: _, LOCKKEEPER_COORDINATOR: __, ...env } = process.env;
  const child = spawn(process.execPath, ['--import', 'tsx', path], { cwd: root, env, timeout: 30_000 });
  const said = { output: '', errors: '' };
  child.stdout.on('data', (data) => {
    said.output += data;
  });
  child.stderr.on('data', (data) => {
    said.errors += data;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  return { code, ...said };
}
