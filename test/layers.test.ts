import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { importsOf } from './support/imports.js';
import { breaches, clients, layers } from './support/layers.js';

const src = fileURLToPath(new URL('../src', import.meta.url));

function sources(): Record<string, string> {
  const paths = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.ts'),
  );
  return Object.fromEntries(
    paths.map((path) => [path.replaceAll('\\', '/'), readFileSync(join(src, path), 'utf8')]),
  );
}

/** The breaches of a file that holds a single line. */
const breachesOf = (path: string, line: string): string[] => breaches({ [path]: line });

describe('the sources', () => {
  it('import one way only, and from npm nothing but optional clients', () => {
    const files = sources();
    expect(Object.keys(files)).not.toEqual([]);
    expect(breaches(files)).toEqual([]);
  });
});

describe('the rules', () => {
  it.each([
    ['errors.ts', './duration.js'],
    ['locks/redis/session.ts', '../../errors.js'],
    ['locks/redis/session.ts', '../coordinator.js'],
    ['brokers/redis/session.ts', '../../redis/connection.js'],
    ['tasks/app.ts', '../brokers/broker.js'],
    ['worker/run.ts', '../locks/limits.js'],
    ['decorators/task.ts', '../worker/worker.js'],
    ['testing/index.ts', '../decorators/task.js'],
    ['index.ts', './tasks/app.js'],
    ['index.ts', './errors.js'],
  ])('let %s import %s', (path, specifier) => {
    expect(breachesOf(path, `import { a } from '${specifier}';`)).toEqual([]);
  });

  it.each([
    ['errors.ts', './locks/locks.js', 'imports locks/locks.js, but base may not know locks'],
    ['errors.ts', './index.js', 'imports index.js, but base may not know index'],
    ['locks/locks.ts', '../brokers/broker.js', 'imports brokers/broker.js, but locks may not know brokers'],
    ['redis/open.ts', '../locks/locks.js', 'imports locks/locks.js, but redis may not know locks'],
    ['results/memory.ts', '../locks/locks.js', 'imports locks/locks.js, but results may not know locks'],
    ['brokers/redis/index.ts', '../../tasks/app.js', 'imports tasks/app.js, but brokers may not know tasks'],
    ['tasks/app.ts', '../worker/worker.js', 'imports worker/worker.js, but tasks may not know worker'],
    ['worker/worker.ts', '../beat/beat.js', 'imports beat/beat.js, but worker may not know beat'],
    [
      'worker/worker.ts',
      '../decorators/task.js',
      'imports decorators/task.js, but worker may not know decorators',
    ],
    ['cli/run.ts', '../testing/index.js', 'imports testing/index.js, but cli may not know testing'],
    ['index.ts', './testing/index.js', 'imports testing/index.js, but index may not know testing'],
    ['tasks/app.ts', '../index.js', 'imports index.js, but tasks may not know index'],
    ['tasks/app.ts', '../stray/a.js', 'imports stray/a.js, but tasks may not know stray'],
    [
      'tasks/app.ts',
      '../../test/support/until.js',
      'imports ../../test/support/until.js, which is not in src',
    ],
  ])('keep %s from importing %s', (path, specifier, problem) => {
    const found = [`${path} ${problem}`];
    expect(breachesOf(path, `import { a } from '${specifier}';`)).toEqual(found);
    expect(breachesOf(path, `import type { A } from '${specifier}';`)).toEqual(found);
    expect(breachesOf(path, `export { a } from '${specifier}';`)).toEqual(found);
    expect(breachesOf(path, `const a = await import('${specifier}');`)).toEqual(found);
  });

  it('name every folder', () => {
    expect(breachesOf('helpers/strings.ts', '')).toEqual(['helpers/strings.ts belongs to no layer']);
  });

  it('let a client be imported as a type, or when it is used', () => {
    expect(breachesOf('redis/open.ts', "import type { Redis } from 'ioredis';")).toEqual([]);
    expect(breachesOf('redis/open.ts', "const { Redis } = await import('ioredis');")).toEqual([]);
    expect(breachesOf('redis/open.ts', "import type { Redis } from 'ioredis/built/Redis.js';")).toEqual([]);
  });

  it.each([
    "import { Redis } from 'ioredis';",
    "import { type Redis } from 'ioredis';",
    "import 'ioredis';",
    "export { Redis } from 'ioredis';",
    "const Redis = require('ioredis');",
  ])('keep a client from being loaded unused: %s', (line) => {
    const found = ['redis/open.ts loads ioredis whether it is used or not'];
    expect(breachesOf('redis/open.ts', line)).toEqual(found);
  });

  it('keep every client out of every folder that has no business with it', () => {
    const units = layers.flat().filter((unit) => unit !== 'base' && unit !== 'index');
    const paths = ['errors.ts', 'index.ts', ...units.map((unit) => `${unit}/a.ts`)];
    for (const [client, folders] of Object.entries(clients)) {
      const strangers = paths.filter(
        (path) => breachesOf(path, `import type { A } from '${client}';`).length > 0,
      );
      expect(strangers).toEqual(paths.filter((path) => !folders.some((folder) => path === `${folder}/a.ts`)));
    }
  });

  it.each(['lodash', 'fs', '@scope/name/deep', 'lockkeeper', 'constructor', 'ioredis-mock'])(
    'keep %s out of the sources, even as a type',
    (specifier) => {
      const found = [`locks/locks.ts imports ${specifier}, which is neither node: nor an optional client`];
      expect(breachesOf('locks/locks.ts', `import type { A } from '${specifier}';`)).toEqual(found);
      expect(breachesOf('locks/locks.ts', `const a = await import("${specifier}");`)).toEqual(found);
    },
  );

  it('let only the command line import a name that it computes', () => {
    const line = 'const app = await import(pathToFileURL(file).href);';
    expect(breachesOf('cli/load.ts', line)).toEqual([]);
    expect(breachesOf('locks/load.ts', line)).toEqual(['locks/load.ts imports a name that it computes']);
  });

  it('name each breach of a file', () => {
    const files = { 'errors.ts': "import 'a';\nimport 'node:fs';\nimport 'b';\n", 'clock.ts': "import 'c';" };
    expect(breaches(files)).toHaveLength(3);
  });
});

describe('the search for imports', () => {
  it.each([
    ["import a from './a.js';", './a.js', 'value'],
    ["import a, { b as c } from './a.js';", './a.js', 'value'],
    ["import * as a from './a.js';", './a.js', 'value'],
    ["import {\n  a,\n  type B,\n} from './a.js';", './a.js', 'value'],
    ["import './a.js';", './a.js', 'value'],
    ["import a = require('./a.js');", './a.js', 'value'],
    ["import data from './a.json' with { type: 'json' };", './a.json', 'value'],
    ["export * from './a.js';", './a.js', 'value'],
    ['export { a } from "./a.js";', './a.js', 'value'],
    ["import type A from './a.js';", './a.js', 'type'],
    ["import type { A } from './a.js';", './a.js', 'type'],
    ["import type * as a from './a.js';", './a.js', 'type'],
    ["export type { A } from './a.js';", './a.js', 'type'],
    ["import type from './a.js';", './a.js', 'value'],
    ["const a = await import('./a.js');", './a.js', 'dynamic'],
    ["const a = await import(\n  './a.js',\n);", './a.js', 'dynamic'],
    ['const a = await import(`./a.js`);', './a.js', 'dynamic'],
    ["type A = import('./a.js').A;", './a.js', 'dynamic'],
    ['const a = await import(`./${name}.js`);', undefined, 'dynamic'],
    ["const a = await import('./' + name);", undefined, 'dynamic'],
    ["const quote = /['\"`]/;\nimport './a.js';", './a.js', 'value'],
    ["const url = 'redis://localhost'; import './a.js';", './a.js', 'value'],
    ["/* one */ import /* two */ './a.js'; // three", './a.js', 'value'],
  ])('finds %j', (source, specifier, kind) => {
    expect(importsOf(source)).toEqual([{ specifier, kind }]);
  });

  it.each([
    "// import './a.js';",
    "/**\n * import { a } from './a.js';\n */",
    'const usage = "import a from \'./a.js\';";',
    "const usage = `\nimport './a.js';\n`;",
    'const here = import.meta.url;',
    "loader.import('./a.js');",
    "export const from = 'a';",
    "export type Kind = 'a' | 'b';",
  ])('is not taken in by %j', (source) => {
    expect(importsOf(source)).toEqual([]);
  });
});
