import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { killPrograms, root, runNode } from './support/program.js';

const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const pages = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

interface Program {
  name: string;
  source: string;
  /** The lines that its comments say it prints. */
  prints: string[];
}

/** The blocks that are whole programs: those marked `ts run`. */
function programsIn(page: string): Program[] {
  return [...read(page).matchAll(/^```ts run\n(.*?)^```$/gms)].map(([, source = ''], i) => ({
    name: `${basename(page, '.md').toLowerCase()}-${i + 1}`,
    source,
    prints: [...source.matchAll(/\/\/ prints: (.*)$/gm)].map(([, line = '']) => line),
  }));
}

interface Link {
  page: string;
  text: string;
  /** The file, from the root of the project. */
  path: string;
  anchor: string | undefined;
}

/** Links to files and headings of the project. */
function linksIn(page: string): Link[] {
  const prose = read(page).replace(/^```.*?^```$/gms, '');
  return [...prose.matchAll(/\[([^\]]+)\]\(([^)\s]+)\)/g)]
    .filter(([, , target = '']) => !/^[a-z]+:/.test(target))
    .map(([, text = '', target = '']) => {
      const [file = '', anchor] = target.split('#');
      return { page, text: text.replace(/\s+/g, ' '), path: file ? join(dirname(page), file) : page, anchor };
    });
}

const links = pages.flatMap(linksIn);

/** Links into `test` bear the name of a test, unless they are just the path. */
const named = links.filter(({ text, path }) => path.startsWith('test/') && text !== path);

/** The cells of every row of every table of a page, under the names of its columns. */
function tablesIn(page: string): { header: string[]; rows: string[][] }[] {
  const cells = (line: string) =>
    line
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim());
  return [...read(page).matchAll(/^\|.*\|\n\| ?---.*\|\n(?:\|.*\|(?:\n|$))+/gm)].map(([table]) => {
    const [header = '', , ...rows] = table.trimEnd().split('\n');
    return { header: cells(header), rows: rows.map(cells) };
  });
}

describe('the programs in the docs', { timeout: 60_000 }, () => {
  const programs = pages.flatMap(programsIn);
  const folder = join(root, '.cache', `docs-${process.pid}`);
  const fileOf = ({ name }: Program) => join(folder, `${name}.ts`);

  beforeAll(async () => {
    await mkdir(folder, { recursive: true });
    await Promise.all(programs.map((program) => writeFile(fileOf(program), program.source)));
    const config = { extends: '../../tsconfig.json', include: ['*.ts'], exclude: [] };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
  });

  afterAll(async () => {
    killPrograms();
    await rm(folder, { recursive: true });
  });

  it('are there', () => {
    expect(programs.map(({ name }) => name)).toContain('readme-1');
  });

  it('compile', async () => {
    const { output } = await runNode(['node_modules/typescript/bin/tsc', '-p', relative(root, folder)]);
    expect(output).toBe('');
  });

  it.each(programs)('run, and print what they say: $name', async (program) => {
    const { code, output, errors } = await runNode(['--import', 'tsx', relative(root, fileOf(program))]);
    expect({ code, errors }).toEqual({ code: 0, errors: '' });
    expect(output.trimEnd().split('\n')).toEqual(program.prints);
  });
});

describe('a link in the docs', () => {
  it('names a file that is there', () => {
    const lost = links.filter(({ path }) => !existsSync(join(root, path)));
    expect(lost.map(({ page, path }) => `${page}: ${path}`)).toEqual([]);
  });

  it('names a heading that is there', () => {
    const lost = links.filter(
      ({ path, anchor }) => anchor !== undefined && !anchorsIn(path).includes(anchor),
    );
    expect(lost.map(({ page, path, anchor }) => `${page}: ${path}#${anchor}`)).toEqual([]);
  });

  it('to a test bears the name of a test in that file', () => {
    const lost = named.filter(({ text, path }) => !hasTest(path, text));
    expect(named.length).toBeGreaterThan(20);
    expect(lost.map(({ page, text, path }) => `${page}: "${text}" in ${path}`)).toEqual([]);
  });
});

describe('a table of promises', () => {
  const tables = ['README.md', 'docs/guarantees.md'].map((page) => ({
    page,
    table: tablesIn(page).find(({ header }) => header.at(-1) === 'tests'),
  }));

  it.each(tables)('has tests in every row: $page', ({ table }) => {
    expect(table?.rows.length).toBeGreaterThan(5);
    const bare = table?.rows.filter((cells) => !/\]\((\.\.\/)?test\//.test(cells.at(-1) ?? ''));
    expect(bare).toEqual([]);
  });
});

describe('the README', () => {
  const words = new Set([...read('README.md').matchAll(/`([^`\n]+)`/g)].map(([, word = '']) => word));

  it.each([
    ['AppOptions', 'src/tasks/app.ts'],
    ['TaskOptions', 'src/tasks/options.ts'],
    ['CallOptions', 'src/tasks/call.ts'],
    ['ResourceOptions', 'src/locks/resources.ts'],
    ['CommonOptions', 'src/locks/limit.ts'],
    ['LockOptions', 'src/locks/limit.ts'],
    ['RateOptions', 'src/locks/limit.ts'],
    ['AcquireOptions', 'src/locks/acquire-options.ts'],
    ['WorkerOptions', 'src/worker/settings.ts'],
    ['LockEvents', 'src/locks/events.ts'],
    ['TaskEvents', 'src/tasks/events.ts'],
  ])('names everything there is in %s', (type, path) => {
    const members = membersOf(type, path);
    expect(members.length).toBeGreaterThan(1);
    expect(members.filter((member) => !words.has(member))).toEqual([]);
  });

  it('names every option of a retry policy', () => {
    const [policy = ''] = /\{ max: [^}]*\}/.exec(read('README.md')) ?? [];
    expect(membersOf('RetryOptions', 'src/tasks/retry.ts').filter((name) => !policy.includes(name))).toEqual(
      [],
    );
  });
});

function hasTest(path: string, name: string): boolean {
  const source = existsSync(join(root, path)) ? read(path) : '';
  return ["'", '"', '`'].some((quote) => source.includes(`${quote}${name}${quote}`));
}

/** The headings of a page, as they are linked to. */
function anchorsIn(path: string): string[] {
  return [...read(path).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** The names in an interface, as it is written. */
function membersOf(type: string, path: string): string[] {
  const [, body = ''] =
    new RegExp(`^export interface ${type}\\b[^{]*\\{\\n(.*?)^\\}`, 'ms').exec(read(path)) ?? [];
  return [...body.matchAll(/^ {2}'?([a-zA-Z.]+)'?\??:/gm)].map(([, name = '']) => name);
}
