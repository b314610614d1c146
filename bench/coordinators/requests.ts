/**
 * Counts the calls of a method of a client library, which every request to its server goes through. Counted where they
 * leave, for the servers count alike what clients ask and what scripts do.
 */
export function countCalls(prototype: object, method: string): () => number {
  const methods = prototype as Record<string, (...args: unknown[]) => unknown>;
  const original = methods[method];
  if (!original) throw new Error(`The client library has no \`${method}\` any more`);
  let calls = 0;
  methods[method] = function (this: unknown, ...args) {
    calls++;
    return original.apply(this, args);
  };
  return () => calls;
}
