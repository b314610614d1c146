import { ConfigError } from '../errors.js';
import type { AnyFunction } from '../tasks/declaration.js';

/** The target's arguments begin with those that the key function takes. */
// biome-ignore lint/suspicious/noExplicitAny: what follows them is not looked at
export type Starts<K extends readonly unknown[]> = readonly [...K, ...any[]];

/** Puts `change` on a method, under either kind of decorators. They are told apart by what they are called with. */
export function methodDecorator(called: string, given: readonly unknown[], change: (fn: AnyFunction) => AnyFunction): unknown {
  const [target, second, descriptor] = given;
  if (typeof second === 'object' && second !== null) {
    const { kind, name } = second as { kind?: unknown; name?: unknown };
    if (kind === 'method' && typeof target === 'function') return change(target as AnyFunction);
    throw new ConfigError(`${called} goes on methods, and "${String(name)}" is a ${String(kind)}`);
  }
  const method = (descriptor as PropertyDescriptor | undefined)?.value;
  if (typeof method !== 'function') throw new ConfigError(`${called} goes on methods, and "${String(second)}" is none`);
  return { ...(descriptor as PropertyDescriptor), value: change(method) };
}
