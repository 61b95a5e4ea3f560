// SPDX-License-Identifier: MIT
// Goal: output that cannot be written is one sentence and a status, never a stack. Method: the
// command with its standard output on a full device, and with a reader that leaves.
import { join } from "node:path";
import { expect, test } from "vitest";
import { repository, shell } from "./support/command.ts";

const muster = join(repository, "bin/muster");
const example = join(repository, "examples/nodea-nodeb.ns");

test("a full disk behind standard output is told, and the status is 74", async () => {
  // Mutant: no listener on the stream: Node prints a stack and the status is 1.
  const { code, stderr } = await shell(`${muster} parse ${example} --format json >/dev/full`);
  expect(stderr).toMatch(/^muster: cannot write the output: .*ENOSPC.*\n$/);
  expect(code).toBe(74);
});

test("a reader that leaves is no fault of anybody's", async () => {
  const { stderr } = await shell(`${muster} parse ${example} --format json | true`);
  expect(stderr).toBe("");
});
