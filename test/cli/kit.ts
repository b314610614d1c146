import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Ran, root, runNode } from '../support/program.js';
import { until } from '../support/until.js';
import { builtPackage } from './build.js';

let built: Promise<string> | undefined;

/** The package, built once for all tests of a file. */
export const folder = (): Promise<string> => {
  built ??= builtPackage();
  return built;
};

/** A module of `test/cli/apps`. */
export const module = async (name: string): Promise<string> => join(await folder(), 'apps', name);

const main = async (): Promise<string> => join(await folder(), 'dist/cli/main.js');

/** Runs the command to its end, with this module as its app. */
export async function cli(args: readonly string[], app?: string, env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  return await runNode([await main(), ...args], { ...env, LOCKKEEPER_APP: app && (await module(app)) });
}

/** The same with `--json`, for its answer. */
export async function answer(args: readonly string[], app: string, env?: NodeJS.ProcessEnv): Promise<any> {
  const { output, errors } = await cli([...args, '--json'], app, env);
  if (output === '') throw new Error(`There is no answer to ${args.join(' ')}: ${errors}`);
  return JSON.parse(output);
}

/** A command that goes on until it is told to stop. */
export class Running {
  output = '';
  errors = '';
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;

  constructor(args: readonly string[], env: NodeJS.ProcessEnv, cwd = root) {
    this.child = spawn(process.execPath, args, { cwd, env });
    this.child.stdout?.on('data', (data) => {
      this.output += data;
    });
    this.child.stderr?.on('data', (data) => {
      this.errors += data;
    });
    this.ended = new Promise((resolve) => this.child.on('close', resolve));
    onTestFinished(() => void this.child.kill('SIGKILL'));
  }

  async says(text: string | RegExp): Promise<void> {
    const said = () => (typeof text === 'string' ? this.output.includes(text) : text.test(this.output));
    await until(said, 15_000).catch(() => {
      throw new Error(`It did not say ${text}, but:\n${this.output}\n${this.errors}`);
    });
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Lines of a log in JSON. */
  get lines(): Record<string, any>[] {
    return this.output
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line));
  }
}

/** What is set here for other programs of Lockkeeper must not reach them. */
export function ordinaryEnv(): NodeJS.ProcessEnv {
  const { LOCKKEEPER_BROKER: _, LOCKKEEPER_COORDINATOR: __, LOCKKEEPER_APP: ___, ...env } = process.env;
  return env;
}

/** A worker of a module, with calls that wait for it. */
export async function startWorker(
  name: string,
  options: { calls?: unknown[][]; flags?: string[]; env?: NodeJS.ProcessEnv } = {},
): Promise<Running> {
  const { calls = [], flags = [], env } = options;
  const all = { ...ordinaryEnv(), ...env, LOCKKEEPER_TEST_CALLS: JSON.stringify(calls) };
  return new Running([await main(), 'worker', await module(name), ...flags], all);
}
