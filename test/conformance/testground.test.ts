// SPDX-License-Identifier: MIT
// Goal: the Testground door is what its specification says, to clients that share no code with it.
// Method: an independent client in Python with a test for each statement, and `@testground/sdk`
// from npm, unchanged, both against the real door on each kind of log. Swapping two fields in both
// our encoder and our decoder turns the first red, and nothing else would.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import type { InstanceEvent } from "../../src/edges/testground/index.ts";
import { logKinds, startDoor } from "../unit/testground/harness.ts";

const run = promisify(execFile);
const script = fileURLToPath(new URL("independent-testground/test_service.py", import.meta.url));

const plan = fileURLToPath(new URL("testground-sdk/plan.mjs", import.meta.url));

// The package writes a file of its own where it is started.
const cwd = mkdtempSync(join(tmpdir(), "muster-testground-sdk-"));
afterAll(() => rmSync(cwd, { recursive: true }));

interface Seen {
  readonly ready: number;
  readonly again: number;
  readonly seq: number;
  readonly peers: readonly { readonly ready: number; readonly text: string }[];
  readonly more: number;
  readonly waited: number;
  readonly late: readonly unknown[];
}

/** Runs one instance of the plan to its end. @returns what it printed. */
async function runInstance(port: number, testCase: string, instances: number): Promise<string> {
  const env = {
    PATH: process.env["PATH"],
    LOG_LEVEL: "error",
    SYNC_SERVICE_HOST: "127.0.0.1",
    SYNC_SERVICE_PORT: String(port),
    TEST_PLAN: "plan",
    TEST_CASE: testCase,
    TEST_RUN: "run1",
    TEST_INSTANCE_COUNT: String(instances),
    TEST_GROUP_ID: "single",
    TEST_GROUP_INSTANCE_COUNT: String(instances),
    TEST_INSTANCE_PARAMS: "",
    TEST_SIDECAR: "false",
    TEST_SUBNET: "127.1.0.0/16",
  };
  const { stdout } = await run(process.execPath, [plan], { cwd, env, timeout: 120_000 });
  return stdout;
}

const ascending = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b);

describe.each(logKinds)("the Testground door on a %s", (kind) => {
  test("is what the independent client expects", async () => {
    const door = await startDoor(kind);
    try {
      const { stderr } = await run("python3", ["-B", script, String(door.port)], {
        timeout: 120_000,
      });
      const [, count] = /Ran (\d+) tests/.exec(stderr) ?? [];
      expect(Number(count)).toBeGreaterThan(35);
      expect(stderr).toMatch(/\nOK\n$/);
    } finally {
      await door.close();
    }
  }, 150_000);

  test("runs the npm package as it is", async () => {
    const events: InstanceEvent[] = [];
    const door = await startDoor(kind, { onEvent: (event) => events.push(event) });
    try {
      const count = 4;
      const each = Array.from({ length: count }, () => runInstance(door.port, "everything", count));
      const seen = (await Promise.all(each)).map(
        (text): Seen => JSON.parse(/^RESULT (.*)$/m.exec(text)?.[1] ?? "null"),
      );
      const numbers = Array.from({ length: count }, (_, index) => index + 1);
      for (const field of ["ready", "again", "seq", "waited"] as const) {
        expect(ascending(seen.map((one) => one[field]))).toEqual(numbers);
      }
      expect(ascending(seen.map(({ more }) => more))).toEqual(numbers.map((n) => n + count));
      const [first] = seen;
      for (const { peers, late, ready, seq } of seen) {
        expect(peers).toEqual(first?.peers);
        expect(late).toEqual(first?.late);
        expect(peers[seq - 1]).toEqual({ ready, text: '<"ü">' });
      }
      expect(events.map(({ outcome, group, scope }) => `${outcome} ${group} ${scope}`)).toEqual(
        numbers.map(() => "success single run:run1"),
      );
    } finally {
      await door.close();
    }
  }, 150_000);

  test("hears from the npm package that an instance failed", async () => {
    const events: InstanceEvent[] = [];
    const door = await startDoor(kind, { onEvent: (event) => events.push(event) });
    try {
      await runInstance(door.port, "failing", 1);
      expect(events).toMatchObject([{ outcome: "failure", error: "Error: as it was told to" }]);
    } finally {
      await door.close();
    }
  }, 150_000);
});
