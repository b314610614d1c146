import type { Message } from '../message.js';
import type { TaskRecord } from './task.js';

/**
 * The arguments that a run is called with: those that came by name, as from Python, at the places that the task's
 * `parameters` give them. Throws `TypeError`, in Python's words, when they do not fit.
 */
export function argumentsOf({ name, settings }: TaskRecord, { args, kwargs }: Message): readonly unknown[] {
  if (kwargs === undefined) return args;
  const placed = [...args];
  for (const [key, value] of Object.entries(kwargs)) {
    const place = settings.parameters?.indexOf(key) ?? -1;
    if (place === -1)
      throw new TypeError(`${name}() got an unexpected keyword argument '${key}'${hint(settings)}`);
    if (place < args.length) throw new TypeError(`${name}() got multiple values for argument '${key}'`);
    placed[place] = value;
  }
  return Array.from(placed);
}

/** What does not fit, so that the message need not be tried. */
export function misfit(record: TaskRecord, message: Message): TypeError | undefined {
  try {
    argumentsOf(record, message);
    return undefined;
  } catch (error) {
    return error as TypeError;
  }
}

function hint({ parameters }: TaskRecord['settings']): string {
  return parameters
    ? `: its parameters are ${parameters.join(', ')}`
    : ': it takes arguments by their places, until it is given `parameters: [...]`';
}
