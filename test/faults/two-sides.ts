import { onTestFinished } from 'vitest';
import type { Side } from './side.js';

/** Opens one for as long as the test runs. */
export async function useSide(open: () => Promise<Side>): Promise<Side> {
  const side = await open();
  onTestFinished(() => side.close());
  return side;
}

export async function useTwoSides(open: () => Promise<Side>): Promise<[alice: Side, bob: Side]> {
  return [await useSide(open), await useSide(open)];
}
