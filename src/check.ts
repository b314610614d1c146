import { ConfigError } from './errors.js';

/** Checks of what users hand over. All report in one form: what was expected, of which option, and what came. */

export function checkObject(
  value: unknown,
  name: string,
  fields?: readonly string[],
): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw ConfigError.expected(name, 'an object', value);
  }
  for (const field of Object.keys(value)) {
    if (fields && !fields.includes(field)) {
      throw new ConfigError(
        `\`${name}\` has no option \`${field}\`. It knows ${fields.map((f) => `\`${f}\``).join(', ')}`,
      );
    }
  }
  return value as Record<string, unknown>;
}

export function checkWhole(value: unknown, name: string, least = 1): number {
  if (Number.isSafeInteger(value) && (value as number) >= least) return value as number;
  throw ConfigError.expected(name, `a whole number from ${least} up`, value);
}

export function checkText(value: unknown, name: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw ConfigError.expected(name, 'a text that is not empty', value);
}

export function checkFlag(value: unknown, name: string): boolean {
  if (typeof value === 'boolean') return value;
  throw ConfigError.expected(name, 'true or false', value);
}

export function checkOneOf<T extends string>(value: unknown, name: string, choices: readonly T[]): T {
  if (choices.includes(value as T)) return value as T;
  throw ConfigError.expected(name, choices.map((choice) => `'${choice}'`).join(' or '), value);
}

/** A URL as it may stand in a log or an error: without its password. */
export function redact(url: string): string {
  return url
    .replace(/(\/\/[^/?#\s]*?:)[^/?#\s]*@/g, '$1***@')
    .replace(/([?&]\w*(?:password|token|secret)=)[^&#]*/gi, '$1***');
}
