// Checked by the compiler only: the same methods under the decorators from before the standard.
export * from '../types/decorators.js';
