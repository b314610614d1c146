import type { App } from '../../tasks/app.js';

/**
 * A label for every resource, of which there are as many as the app declares: names that keys give, without end, are put
 * together under the pattern that declares them, or under `other`.
 */
export function declaredLabels(app: App): (resource: string) => string {
  const { names } = app.locks.settings.resources;
  const patterns = names.filter((name) => name.endsWith('*'));
  const own = new Set(names.filter((name) => !name.endsWith('*')));
  for (const { limits } of app.tasks.values()) {
    for (const { key } of limits) if (typeof key === 'string') own.add(key);
  }
  return (resource) => {
    if (own.has(resource)) return resource;
    return patterns.find((pattern) => resource.startsWith(pattern.slice(0, -1))) ?? 'other';
  };
}
