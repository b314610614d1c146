/**
 * Waits, in real time, until the condition holds. Rejects when it does not within `timeoutMs`, naming the condition; one
 * that throws counts as not holding yet, and its last error is the cause.
 */
export async function until(condition: () => unknown, timeoutMs = 20_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const { holds, error } = await look(condition);
    if (holds) return;
    if (performance.now() >= deadline) {
      throw new Error(`Waited ${timeoutMs} ms in vain for ${condition}`, { cause: error });
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

async function look(condition: () => unknown): Promise<{ holds: boolean; error?: unknown }> {
  try {
    return { holds: Boolean(await condition()) };
  } catch (error) {
    return { holds: false, error };
  }
}
