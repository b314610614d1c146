import { expect, it } from 'vitest';

it('compiles this folder with the decorators from before the standard', () => {
  const seen: unknown[] = [];
  const note = (...args: unknown[]): void => {
    seen.push(...args);
  };

  class Notes {
    @note
    write(): void {}
  }

  expect(seen).toEqual([Notes.prototype, 'write', Object.getOwnPropertyDescriptor(Notes.prototype, 'write')]);
});
