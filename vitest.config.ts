// SPDX-License-Identifier: MIT
import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { SlowFirst } from "./tools/slow-first.ts";

// What programs that tests start have compiled before is there when they start again: 50 ms in
// place of 170 for the smallest of the sources. Vitest does without when it measures coverage.
process.env["NODE_COMPILE_CACHE"] ??= join(import.meta.dirname, "node_modules/.cache/node");

/** What comes and goes on the machine must be known as that of another test. */
const watching = ["test/e2e/**/*-cleanup.test.ts", "test/e2e/netns.test.ts"];

/** For the machine of `npm run test:netem` alone; nowhere else would they do anything but skip. */
const netem = process.env["MUSTER_TEST_LINKS"] === "netem" ? ["test/netem/**/*.test.ts"] : [];

// Limits of time end what hangs, and nothing else: a busy machine has been seen to take ten times
// as long as an idle one.
//
// `process` starts real servers, programs and namespaces and keeps files apart. After it come
// `unit`, which shares one worker per file group (the pure layers share nothing, so isolation buys
// nothing), and, beside it, `watching`: it compares the whole machine before and after, where unit
// tests start nothing that outlives them.
export default defineConfig({
  test: {
    reporters: ["default", "./tools/plain-reporter.ts"],
    sequence: { sequencer: SlowFirst },
    // What runs the tests also starts servers and programs, for which tests then wait: with as many
    // workers as this machine's two cores, these are idle for a third of the time. With six, a
    // small machine was so late that three tests of time failed.
    maxWorkers: 4,
    coverage: { include: ["src/**/*.ts"], exclude: ["**/*.test.ts"], reporter: ["text", "html"] },
    projects: [
      {
        test: {
          name: "process",
          include: [
            "test/e2e/**/*.test.ts",
            "test/conformance/**/*.test.ts",
            "test/simulation/**/*.test.ts",
            ...netem,
          ],
          exclude: watching,
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: "unit",
          include: [
            "src/**/*.test.ts",
            "test/*.test.ts",
            "test/unit/**/*.test.ts",
            "test/property/**/*.test.ts",
          ],
          sequence: { groupOrder: 1 },
          isolate: false,
          testTimeout: 180_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: "watching",
          include: watching,
          sequence: { groupOrder: 1 },
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
