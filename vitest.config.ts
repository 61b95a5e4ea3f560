// SPDX-License-Identifier: MIT
import { defineConfig } from "vitest/config";

/** Compare the whole machine before and after: nothing else may come and go meanwhile. */
const alone = ["test/e2e/**/*-cleanup.test.ts"];

// `unit` shares one worker per file group (the pure layers share nothing, so isolation buys
// nothing); `process` starts real servers, programs and namespaces and keeps files apart; `alone`
// runs after all others, one file at a time.
export default defineConfig({
  test: {
    reporters: ["default", "./tools/plain-reporter.ts"],
    // What runs the tests also starts servers and programs, for which tests then wait. On two cores
    // a third worker makes each file a third slower and the whole a seventh faster; more make a
    // small machine late, and tests of time with it.
    maxWorkers: 3,
    coverage: { include: ["src/**/*.ts"], exclude: ["**/*.test.ts"], reporter: ["text", "html"] },
    projects: [
      {
        test: {
          name: "unit",
          include: [
            "src/**/*.test.ts",
            "test/*.test.ts",
            "test/unit/**/*.test.ts",
            "test/property/**/*.test.ts",
          ],
          isolate: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "process",
          include: [
            "test/e2e/**/*.test.ts",
            "test/conformance/**/*.test.ts",
            "test/simulation/**/*.test.ts",
          ],
          exclude: alone,
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "alone",
          include: alone,
          sequence: { groupOrder: 1 },
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
