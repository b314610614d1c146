import { createLocks } from 'lockkeeper';

/** Somebody else who holds all there is of these resources. Resolves with a function that lets go of it. */
export async function holdAll(
  resources: readonly string[],
  { capacity = 1, coordinator }: { capacity?: number; coordinator: string },
): Promise<() => Promise<void>> {
  const locks = createLocks({ coordinator });
  for (const resource of resources) {
    for (let permit = 0; permit < capacity; permit++) await locks.acquire(resource, { capacity });
  }
  return () => locks.close();
}
