// SPDX-License-Identifier: MIT
// One closing line that any CI can read: `N passed, N failed, N skipped`.
import type { Reporter, TestModule } from "vitest/node";

export default class PlainReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const count = { passed: 0, failed: 0, skipped: 0, pending: 0 };
    for (const module of modules) {
      for (const test of module.children.allTests()) count[test.result().state] += 1;
      // A file that cannot be loaded has no tests to fail; it must still count as a failure.
      if (module.errors().length > 0) count.failed += 1;
    }
    count.failed += errors.length + count.pending;
    process.stdout.write(
      `${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`,
    );
  }
}
