// SPDX-License-Identifier: MIT
// Goal: every old command prints its help with --help, on standard output, and ends with 0, as
// docs/reference/cli.md promises of all. Method: the commands themselves.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { repository, shell } from "./support/command.ts";

const notTools = ["launch.sh", "node"];
const tools = readdirSync(join(repository, "bin")).filter((name) => !notTools.includes(name));

test.each(tools)("%s --help", async (name) => {
  const { code, stdout, stderr } = await shell(`${join(repository, "bin", name)} --help`);
  expect(stdout).toMatch(/usage/i);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});
