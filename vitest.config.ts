import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string): string => fileURLToPath(new URL(`src/${path}`, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: /^lockkeeper$/, replacement: source('index.ts') },
      { find: /^lockkeeper\/testing$/, replacement: source('testing/index.ts') },
      { find: /^lockkeeper\/([a-z]+)$/, replacement: source('exports/$1.ts') },
    ],
  },
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Many files mostly wait for their servers, so two are run at once even where there are only two processors.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    passWithNoTests: false,
    dangerouslyIgnoreUnhandledErrors: false,
    reporters: ['default', './test/support/totals-reporter.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'main',
          include: ['test/**/*.test.ts'],
          exclude: ['test/legacy/**'],
          // Starts no server before a test file asks for one.
          globalSetup: ['./test/support/servers/global-setup.ts'],
        },
      },
      {
        extends: true,
        esbuild: { tsconfigRaw: { compilerOptions: { experimentalDecorators: true } } },
        test: { name: 'legacy', include: ['test/legacy/**/*.test.ts'] },
      },
    ],
  },
});
