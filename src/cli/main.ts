#!/usr/bin/env node
import type { Command, CommanderError } from 'commander';
import { redact } from '../check.js';
import { ConfigError, LockkeeperError } from '../errors.js';
import { addAside } from './aside.js';
import { addLocks } from './locks.js';
import { addQueues } from './queues.js';
import { UsageError } from './usage-error.js';
import { version } from './version.js';
import { addWhy } from './why.js';
import { addWorker } from './worker.js';

/** Exit codes: 0 for done, 1 for failed, 2 for called wrongly. */
async function main(args: readonly string[]): Promise<void> {
  // Whoever reads the output may go before it ends, as `head` does.
  process.stdout.on('error', () => {});
  try {
    const program = await build();
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    process.exitCode = report(error);
  }
  // What the module of a user leaves open, such as a pool of connections, is no reason to stay.
  setTimeout(() => process.exit(), leftOpen).unref();
}

/** Milliseconds. */
const leftOpen = 500;

async function build(): Promise<Command> {
  const { Command } = await commander();
  const program = new Command('lockkeeper')
    .description('Background tasks that never run over each other.')
    .version(version())
    .showHelpAfterError('(--help tells more)')
    // Here, so that every command added below has it too.
    .exitOverride();
  for (const add of [addWorker, addLocks, addWhy, addQueues, addAside]) add(program);
  return program;
}

async function commander(): Promise<typeof import('commander')> {
  try {
    return await import('commander');
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new ConfigError('The command line needs the package `commander`: npm install commander');
  }
}

/** Tells what went wrong, and gives the exit code. Commander has told its own complaints. */
function report(error: unknown): number {
  const { code = '', exitCode } = error as Partial<CommanderError>;
  if (typeof code === 'string' && code.startsWith('commander.')) return exitCode === 0 ? 0 : 2;
  const isPlain = error instanceof UsageError || error instanceof LockkeeperError;
  const text = isPlain || !(error instanceof Error) ? String((error as Error).message ?? error) : error.stack;
  process.stderr.write(`lockkeeper: ${redact(text ?? '')}\n`);
  return error instanceof UsageError ? 2 : 1;
}

await main(process.argv.slice(2));
