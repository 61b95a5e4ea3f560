// SPDX-License-Identifier: MIT
// Goal: an experiment file that cannot be one is refused at once, with what to do. Method: files of
// this machine that have no end, and files whose names say another language than they are in.
import { accessSync, constants } from "node:fs";
import { expect, it } from "vitest";
import { describeMisnamed } from "../../../src/boss/file-language.ts";
import { readSource } from "../../../src/cli/source-file.ts";

const endless = "/proc/kmsg";

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

it.skipIf(!isReadable(endless))("does not wait for what the kernel may say later", async () => {
  // It may also be refused for its size, or by the kernel: but it is.
  await expect(readSource(endless)).rejects.toThrow(/^\/proc\/kmsg: /);
});

it.each([
  ["a.txt", "nodes:\n  a: {}\n", true],
  ["a.ns", "# mine\nexperiment: x\nnodes: {}\n", true],
  ["a.yaml", "nodes:\n", false],
  ["a.ts", "nodes:\n", false],
  ["a.ns", "set ns [new Simulator]\n", false],
])("of %s, %j: whether it is called misnamed", (file, text, isMisnamed) => {
  expect(describeMisnamed(file, text)).toBe(
    isMisnamed ? "; it looks like YAML, and by its name it was read as NS: call it .yaml" : "",
  );
});
