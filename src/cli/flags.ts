import type { Command } from 'commander';
import { checkText, checkWhole } from '../check.js';
import { milliseconds } from '../duration.js';
import { flag } from './usage-error.js';

/** What flags are made of. Each throws `UsageError`, naming the flag. */

export const whole = (name: string, least = 1) =>
  flag((text) => checkWhole(/^\d+$/.test(text) ? Number(text) : text, name, least));

/** Milliseconds. */
export const duration = (name: string) =>
  flag((text) => milliseconds(/^\d+$/.test(text) ? Number(text) : text, name));

/** Names with commas between them; the flag may be given several times. */
export const list = (name: string) => (text: string, before?: readonly string[]) => [
  ...(before ?? []),
  ...text.split(',').map(flag((part) => checkText(part.trim(), name))),
];

/** Adds a flag with a default, which help tells as it would be written. */
export function withDefault(
  command: Command,
  [flags, description]: readonly [string, string],
  parse: (text: string) => unknown,
  written: string,
): Command {
  return command.addOption(
    command.createOption(flags, description).argParser(parse).default(parse(written), written),
  );
}
