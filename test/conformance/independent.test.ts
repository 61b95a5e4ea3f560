// SPDX-License-Identifier: MIT
// Goal: the independent clients and servers that ours are held against are right by their own
// account. Method: their own tests, in Python.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const run = promisify(execFile);

test.each([
  ["independent", "barrier_model.py", "--selftest"],
  ["independent-tmcd", "test_loopback.py"],
])("%s/%s passes its own tests", async (folder, file, ...args) => {
  const path = fileURLToPath(new URL(`${folder}/${file}`, import.meta.url));
  const { stdout, stderr } = await run("python3", [path, ...args], { timeout: 290_000 });
  expect(`${stdout}${stderr}`).toMatch(/\bOK\b|passed/);
});
