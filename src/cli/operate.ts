import type { Command } from 'commander';
import type { App } from '../tasks/app.js';
import { loadApp } from './app-module.js';
import { list } from './flags.js';
import { json } from './text.js';

/** Flags of every command that asks a running system. */
export interface OperatorFlags {
  readonly app?: string;
  readonly queues?: string[];
  readonly json?: boolean;
}

/** What a command came to: as a value for `--json`, and as lines for people. */
export interface Answer {
  readonly value: unknown;
  readonly text: string;
  /** Nothing was found, or done: the exit code is 1. */
  readonly failed?: boolean;
}

/** Adds the flags that every such command has. */
export function operator(command: Command): Command {
  return command
    .option('--app <module>', 'module that exports the app; default: the variable LOCKKEEPER_APP')
    .option('--queues <names>', "queues to look at; default: those of the app's tasks", list('--queues'))
    .option('--json', 'answer as JSON');
}

/**
 * What the command does: it opens the app, asks it, prints the answer, and closes it. A flag counts wherever it stands, also
 * before the name of a command that belongs to another.
 */
export function answer<F extends OperatorFlags, A extends unknown[] = []>(
  command: Command,
  ask: (app: App, flags: F, ...args: A) => Promise<Answer>,
): void {
  command.action(async () => {
    const flags = command.optsWithGlobals<F>();
    const app = await loadApp(flags.app ?? process.env.LOCKKEEPER_APP);
    try {
      if (app.broker.kind === 'memory') warnOfMemory();
      const { value, text, failed } = await ask(app, flags, ...(command.processedArgs as A));
      process.stdout.write(`${flags.json ? json(value) : text}\n`);
      if (failed) process.exitCode = 1;
    } finally {
      await app.close();
    }
  });
}

/** Which queues the flags name, as `app.operator` takes it. */
export function queuesIn({ queues }: OperatorFlags): { queues?: readonly string[] } {
  return queues ? { queues } : {};
}

function warnOfMemory(): void {
  process.stderr.write(
    'This app keeps its messages in the memory of each process, and this one can only see its own.\n',
  );
}
