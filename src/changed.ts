/**
 * The same with other values. It is for what every task goes through: V8 gives each spread that properties are added to a
 * shape of its own, which takes microseconds; and so does everybody who reads them.
 */
export function changed<T extends object>(value: T, changes: Partial<T>): T {
  return Object.assign({}, value, changes);
}
