import type { Reporter, TestModule, TestRunEndReason, TestSuite } from 'vitest/node';

interface Totals {
  passed: number;
  failed: number;
  skipped: number;
}

/**
 * Ends the output of a run with one plain line, `N passed, N failed`, for people and scripts that want the count only.
 *
 * What makes a run fail is counted as failed even where it belongs to no test: a file that could not be loaded, a hook
 * that threw, an error nobody caught. The line is written as the process exits, after whatever teardown still prints.
 */
export default class TotalsReporter implements Reporter {
  #line: string | undefined;

  onInit(): void {
    process.once('exit', () => {
      if (this.#line !== undefined) process.stdout.write(`${this.#line}\n`);
    });
  }

  onTestRunEnd(
    modules: readonly TestModule[],
    unhandledErrors: readonly unknown[],
    reason: TestRunEndReason,
  ): void {
    const totals = count(modules);
    totals.failed += unhandledErrors.length;
    this.#line = format(totals);

    // A filter that matches nothing must not look like success.
    if (reason === 'passed' && totals.passed === 0) process.exitCode = 1;
  }
}

function count(modules: readonly TestModule[]): Totals {
  const totals: Totals = { passed: 0, failed: 0, skipped: 0 };
  for (const module of modules) {
    totals.failed += brokenSuites(module);
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      totals[state === 'pending' ? 'skipped' : state] += 1;
    }
  }
  return totals;
}

function brokenSuites(module: TestModule): number {
  const suites: (TestModule | TestSuite)[] = [module, ...module.children.allSuites()];
  return suites.filter((suite) => suite.errors().length > 0).length;
}

function format({ passed, failed, skipped }: Totals): string {
  const line = `${passed} passed, ${failed} failed`;
  return skipped > 0 ? `${line}, ${skipped} skipped` : line;
}
