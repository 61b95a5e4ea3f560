import { defineConfig } from "vitest/config";

// `unit` shares one worker per file group (the pure layers share nothing, so isolation buys
// nothing); `process` starts real servers, programs and namespaces and keeps files apart.
export default defineConfig({
  test: {
    reporters: ["default", "./tools/plain-reporter.ts"],
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
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
