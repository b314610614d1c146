import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { problemsOf, type Report } from '../examples/archive/report.js';
import { until } from './support/until.js';

const root = fileURLToPath(new URL('..', import.meta.url));

describe('the demo', { timeout: 60_000 }, () => {
  let scratch: string;
  const running = new Set<ChildProcess>();

  beforeEach(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'demo-test-'));
    await Promise.all(['temporary', 'packages'].map((name) => mkdir(join(scratch, name))));
  });

  afterEach(async () => {
    for (const child of running) child.kill('SIGKILL');
    await rm(scratch, { recursive: true });
  });

  function demo(...flags: string[]) {
    const child = spawn(process.execPath, ['--import', 'tsx', 'examples/archive-packages.ts', ...flags], {
      cwd: root,
      env: { ...process.env, TMPDIR: join(scratch, 'temporary') },
    });
    running.add(child);
    const output = { text: '' };
    child.stdout.on('data', (chunk) => (output.text += chunk));
    child.stderr.on('data', (chunk) => (output.text += chunk));
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    return { child, output, ended };
  }

  async function addPackage(name: string, files: Record<string, string>): Promise<void> {
    const folder = join(scratch, 'packages', name);
    await mkdir(folder, { recursive: true });
    for (const [path, text] of Object.entries(files)) await writeFile(join(folder, path), text);
  }

  it('archives real packages, within their limits, and cleans up', async () => {
    const { output, ended } = demo('--packages', '12');

    expect(await ended, output.text).toBe(0);
    expect(output.text).toMatch(/packages +12\n/);
    expect(output.text).toMatch(/storage +[1-4] of 4, \d+ % of its capacity used/);
    expect(output.text).toMatch(/scopes +1 of 1 in each/);
    expect(output.text).toMatch(/index +\d+ of \d+, at 50\/s/);
    expect(output.text).toMatch(/Packages\.archive +\d\.\d\d\n/);
    expect(output.text).toContain('No limit was exceeded, and every archive opens again.');
    expect(await readdir(join(scratch, 'temporary'))).not.toContainEqual(
      expect.stringMatching(/^lockkeeper/),
    );
  });

  it('says which package could not be archived, and fails', async () => {
    await addPackage('good', { 'package.json': '{ "version": "1.0.0" }' });
    await addPackage('@scope/broken', { 'package.json': '{ "version": ' });

    const { output, ended } = demo('--from', join(scratch, 'packages'));

    expect(await ended, output.text).toBe(1);
    expect(output.text).toMatch(/packages +1\n/);
    expect(output.text).toContain('Wrong: @scope/broken was not archived: SyntaxError');
  });

  it('stops at Ctrl-C, finishes what it has in hand, and cleans up', async () => {
    const { child, output, ended } = demo('--packages', '40');
    await until(() => output.text.includes('Archived'), 30_000);

    child.kill('SIGINT');

    expect(await ended, output.text).toBe(130);
    expect(output.text).toContain('Interrupted');
    expect(await readdir(join(scratch, 'temporary'))).not.toContainEqual(
      expect.stringMatching(/^lockkeeper/),
    );
  });

  it('explains its options', async () => {
    const { output, ended } = demo('--help');

    expect(await ended).toBe(0);
    expect(output.text).toContain('--packages N');
  });
});

describe("the demo's checks", () => {
  const report: Report = {
    seconds: 1,
    archived: [],
    storage: { most: 4, capacity: 4, used: 1 },
    scopes: { most: 1, capacity: 1, count: 3 },
    index: { most: 50, rate: 50, late: 0 },
    deliveriesPerTask: {},
    failures: [],
  };

  it('find nothing wrong where every limit was kept', () => {
    expect(problemsOf(report)).toEqual([]);
  });

  it('find a capacity and a mutex that were exceeded', () => {
    const problems = problemsOf({
      ...report,
      storage: { ...report.storage, most: 5 },
      scopes: { ...report.scopes, most: 2 },
    });

    expect(problems).toEqual([
      'storage had 5 holders at once, and its capacity is 4',
      'a scope had 2 holders at once, and its capacity is 1',
    ]);
  });

  it('find a rate that was exceeded by more than a late event loop explains', () => {
    expect(problemsOf({ ...report, index: { most: 55, rate: 50, late: 0.1 } })).toEqual([]);
    expect(problemsOf({ ...report, index: { most: 60, rate: 50, late: 0.1 } })).toEqual([
      'index had 60 starts within a second, and its rate is 50/s',
    ]);
  });

  it('pass on what failed', () => {
    expect(problemsOf({ ...report, failures: ['x was not archived'] })).toEqual(['x was not archived']);
  });
});
