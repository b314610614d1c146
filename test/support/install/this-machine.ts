import { execFile } from 'node:child_process';
import { createInterface } from 'node:readline/promises';
import { promisify } from 'node:util';
import { find, programs, pythonModules, type Requirement } from '../servers/programs.js';
import { aptScript } from './apt-script.js';
import type { Machine, Missing } from './install.js';

const run = promisify(execFile);

export const thisMachine: Machine = {
  environment: process.env,
  hasApt: find('apt-get') !== undefined,
  isRoot: process.getuid?.() === 0,
  hasSudo: find('sudo') !== undefined,
  confirm: process.stdin.isTTY && process.stdout.isTTY ? confirm : undefined,
  missing: async () => [...missingPrograms(), ...(await missingModules())],
  install,
  say: (line) => console.log(line),
};

function missingPrograms(): Missing[] {
  const requirements: readonly Requirement[] = Object.values(programs);
  return requirements
    .filter(({ program }) => find(program) === undefined)
    .map(({ program, ...rest }) => ({ name: program, ...rest }));
}

async function missingModules(): Promise<Missing[]> {
  const names = await Promise.all(
    pythonModules.map(async ({ module, debianPackage }) => {
      const code = `import importlib.util, sys; sys.exit(importlib.util.find_spec('${module}') is None)`;
      const found = await run(programs.python.program, ['-c', code]).then(
        () => true,
        () => false,
      );
      return found ? [] : [{ name: `Python's ${module}`, debianPackage }];
    }),
  );
  return names.flat();
}

async function confirm(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question(`${question} [y/N] `);
  terminal.close();
  return /^y(es)?$/i.test(answer.trim());
}

async function install(packages: readonly string[], how: 'as root' | 'with sudo'): Promise<void> {
  const command = ['sh', '-c', aptScript(packages)];
  const [program, ...args] = how === 'with sudo' ? ['sudo', ...command] : command;
  try {
    await run(program!, args, { maxBuffer: 64 * 1024 * 1024 });
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`apt-get failed:\n${stdout}${stderr}`, { cause: error });
  }
}
