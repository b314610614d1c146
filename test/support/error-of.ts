/** The error that a promise rejects with, or that a function throws. */
export async function errorOf(failing: unknown): Promise<any> {
  try {
    await (typeof failing === 'function' ? failing() : failing);
  } catch (error) {
    return error;
  }
  throw new Error('It was expected to fail, and did not');
}
