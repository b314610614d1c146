let made = 0;

/** A name that nothing else has: coordinators outlive the rounds that use them. */
export function newName(prefix = 'bench'): string {
  return `${prefix}-${process.pid}-${made++}`;
}
