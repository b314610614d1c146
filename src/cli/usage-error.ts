/** The command was called wrongly. Its caller is told how, and the exit code is 2. */
export class UsageError extends Error {}

/** A flag's value, as a check makes it; whatever the check complains about is the caller's to mend. */
export function flag<T>(check: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return check(text);
    } catch (error) {
      throw new UsageError((error as Error).message);
    }
  };
}
