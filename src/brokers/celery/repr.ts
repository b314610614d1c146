/** Values as Python would print them, for people who look at messages with Celery's tools. Nothing is read from it. */

/** As Celery cuts them. */
const longest = 1_024;

export function reprOfArgs(args: readonly unknown[]): string {
  return cut(args.length === 1 ? `(${repr(args[0])},)` : `(${args.map(repr).join(', ')})`);
}

export function reprOfKwargs(kwargs: Readonly<Record<string, unknown>>): string {
  return cut(repr(kwargs));
}

function repr(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (typeof value === 'string') return `'${JSON.stringify(value.slice(0, longest)).slice(1, -1)}'`;
  if (Array.isArray(value)) return `[${value.map(repr).join(', ')}]`;
  if (typeof value !== 'object') return String(value);
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return `{${entries.map(([key, item]) => `${repr(key)}: ${repr(item)}`).join(', ')}}`;
}

function cut(text: string): string {
  return text.length > longest ? `${text.slice(0, longest - 3)}...` : text;
}
