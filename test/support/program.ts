import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The project's folder. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** What a program said, and how it ended. */
export interface Ran {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

const running = new Set<ChildProcess>();

/** Runs Node in the project's folder, with the embedded default unless `env` says otherwise, and not for ever. */
export async function runNode(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  timeout = 30_000,
): Promise<Ran> {
  const { LOCKKEEPER_BROKER: _, LOCKKEEPER_COORDINATOR: __, ...inherited } = process.env;
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...inherited, ...env },
    timeout,
    killSignal: 'SIGKILL',
  });
  running.add(child);
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
  running.delete(child);
  return { code, ...said };
}

/** Kills what still runs. */
export function killPrograms(): void {
  for (const child of running) child.kill('SIGKILL');
}
