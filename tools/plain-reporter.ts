// SPDX-License-Identifier: MIT
// Counts for the closing line that any CI can read: `N passed, N failed, N skipped`. The line goes
// to the file that MUSTER_TEST_TALLY names (tools/check.sh prints it last of all), else to standard
// output. With CI set, a skipped test fails the run: there every test must be able to run.
import { writeFileSync } from "node:fs";
import type { Reporter, TestModule } from "vitest/node";

export default class PlainReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const count = { passed: 0, failed: 0, skipped: 0, pending: 0 };
    for (const module of modules) {
      for (const test of module.children.allTests()) count[test.result().state] += 1;
      // A file that cannot be loaded, or a hook that fails, has no failed test, yet must count.
      if (module.errors().length > 0) count.failed += 1;
      for (const suite of module.children.allSuites()) {
        if (suite.errors().length > 0) count.failed += 1;
      }
    }
    count.failed += errors.length + count.pending;
    if (count.passed + count.failed + count.skipped === 0) count.failed = 1;
    const ci = process.env["CI"] ?? "";
    if (count.skipped > 0 && ci !== "" && ci !== "false") {
      process.stdout.write(`Skipped tests count as failures here: CI=${ci}\n`);
      process.exitCode = 1;
    }
    const line = `${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`;
    const file = process.env["MUSTER_TEST_TALLY"];
    if (file === undefined) process.stdout.write(line);
    else writeFileSync(file, line);
  }
}
