import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { root } from '../support/program.js';
import { folder, ordinaryEnv, Running } from './kit.js';

describe('lockkeeper, installed in a project of its own', () => {
  let project: string;

  beforeEach(async () => {
    project = await mkdtemp(join(tmpdir(), 'lockkeeper-cli-'));
    await mkdir(join(project, 'node_modules', 'lockkeeper'), { recursive: true });
    for (const part of ['dist', 'package.json']) {
      await cp(join(await folder(), part), join(project, 'node_modules', 'lockkeeper', part), {
        recursive: true,
      });
    }
    await write('package.json', '{ "type": "module" }');
  });

  afterEach(async () => await rm(project, { recursive: true }));

  const write = (path: string, text: string) => writeFile(join(project, path), text);

  const install = async (...names: string[]) => {
    for (const name of names) {
      await rm(join(project, 'node_modules', name), { recursive: true, force: true });
      await symlink(join(root, 'node_modules', name), join(project, 'node_modules', name));
    }
  };

  /** Not installed, whatever there is in folders above: an empty one ends the search of a module for it. */
  const lacks = async (name: string) => await mkdir(join(project, 'node_modules', name));

  const cli = async (...args: string[]) => {
    const bin = join(project, 'node_modules/lockkeeper/dist/cli/main.js');
    const running = new Running([bin, ...args], ordinaryEnv(), project);
    const code = await running.ended;
    return { code, output: running.output, errors: running.errors };
  };

  const app = `import { createApp } from 'lockkeeper';
    const app = createApp();
    app.task('save', { queue: 'mail' }, () => {});
    export { app };`;

  it('takes an app from an export, a default export, a promise of one, or a CommonJS module', async () => {
    await install('commander');
    await write('named.js', app);
    await write('default.mjs', app.replace('export { app }', 'export default app'));
    await write('promise.js', app.replace('export { app }', 'export default (async () => app)()'));
    await write('common.cjs', "exports.app = import('./named.js').then(({ app }) => app);");
    for (const name of ['named.js', 'default.mjs', 'promise.js', 'common.cjs']) {
      const { code, output, errors } = await cli('queues', '--app', join(project, name), '--json');
      expect({ name, code, errors: errors.split('\n').length }).toEqual({ name, code: 0, errors: 2 });
      expect(JSON.parse(output)).toMatchObject([{ queue: 'default' }, { queue: 'mail' }]);
    }
  });

  it('reads TypeScript where tsx is installed, and else says what to do', async () => {
    await install('commander');
    await lacks('tsx');
    // The search of CommonJS, which goes on, ends with one that exports nothing.
    await write('node_modules/tsx/package.json', '{ "exports": {} }');
    const typed = join(project, 'typed.ts');
    await cp(join(await folder(), 'apps/typed.ts'), typed);
    const without = await cli('locks', '--app', typed);
    expect(without).toMatchObject({ code: 1, output: '' });
    expect(without.errors).toMatch(
      /is TypeScript, which takes tsx to be read: npm install tsx, or compile it/,
    );

    await install('tsx', 'esbuild', '@esbuild');
    const { code, output, errors } = await cli('locks', 'account:7', '--app', typed);
    expect({ code, output }, errors).toEqual({
      code: 0,
      output: 'account:7 · one at a time · 0 held · on memory\n',
    });
  });

  it('says which package it lacks', async () => {
    await lacks('commander');
    await lacks('pino');
    await write('app.js', app);
    const lame = await cli('queues', '--app', join(project, 'app.js'));
    expect(lame).toMatchObject({ code: 1, errors: expect.stringContaining('npm install commander') });

    await install('commander');
    const mute = await cli('worker', join(project, 'app.js'));
    expect(mute).toMatchObject({ code: 1, errors: expect.stringContaining('npm install pino') });
  });

  it('tells an app of another copy of the package', async () => {
    await install('commander');
    await write('app.js', `export { app } from ${JSON.stringify(join(await folder(), 'apps/orders.js'))};`);
    const { code, errors } = await cli('locks', '--app', join(project, 'app.js'));
    expect(code).toBe(1);
    expect(errors).toContain('is of another copy of lockkeeper than this command');
  });
});
