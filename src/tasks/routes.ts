import { checkObject, checkText } from '../check.js';
import { ConfigError } from '../errors.js';

/** Queues by the names of tasks, or by patterns of them with a trailing `*`. */
export type Routes = Readonly<Record<string, string>>;

/** The queue that the routes give a task: those of exact names come first, then those of the longest pattern. */
export type Route = (task: string) => string | undefined;

/** Throws `ConfigError` for what is no such record. */
export function routesOf(given: Routes | undefined): Route {
  if (given === undefined) return () => undefined;
  const exact = new Map<string, string>();
  const patterns: { readonly prefix: string; readonly queue: string }[] = [];
  for (const [name, value] of Object.entries(checkObject(given, 'routes'))) {
    const path = `routes[${JSON.stringify(name)}]`;
    const queue = checkText(value, path);
    const star = name.indexOf('*');
    if (star === -1) exact.set(name, queue);
    else if (star === name.length - 1) patterns.push({ prefix: name.slice(0, -1), queue });
    else {
      throw new ConfigError(
        `\`${path}\`: a \`*\` may only stand at the end of a name, where it matches the rest of it`,
      );
    }
  }
  patterns.sort((a, b) => b.prefix.length - a.prefix.length);
  return (task) => exact.get(task) ?? patterns.find(({ prefix }) => task.startsWith(prefix))?.queue;
}
