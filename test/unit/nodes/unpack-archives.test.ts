// SPDX-License-Identifier: MIT
// Goal: of an archive that cannot be unpacked the reason is told, nobody waits for a FIFO, and an
// interrupt ends what is under way. Method: words of real tars; a node whose programs are of this
// machine.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, test } from "vitest";
import type { RunningNode, SpawnSpec } from "../../../src/testbed/nodes/node-backend.ts";
import { firstReason, unpackArchives } from "../../../src/testbed/nodes/unpack-archives.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "muster-test-unpack-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Its programs run here. */
function nodeHere(): RunningNode {
  const start = ({ argv = [], stdout }: SpawnSpec) => {
    const log = openSync(stdout, "a");
    const [file = "", ...words] = argv;
    const child = spawn(file, words, { stdio: ["ignore", log, log] });
    const done = new Promise((resolve) => {
      child.once("close", (exitCode, signal) => resolve({ exitCode, signal }));
    });
    return Promise.resolve({ done });
  };
  const node = { name: "a", hostPath: { localLogs: directory }, spawn: start };
  return node as unknown as RunningNode;
}

const unpack = (node: RunningNode, file: string, interrupt?: AbortSignal): Promise<void> =>
  unpackArchives([{ node, archives: [{ directory, file }] }], interrupt);

test.each([
  ["tar: Removing leading `../../' from member names\ntar: x: Member name contains '..'", "x: Mem"],
  ["tar: x.tar: Cannot open: No such file\ntar: Error is not recoverable: exiting now", "x.tar: C"],
  ["tar: Exiting with failure status due to previous errors", "Exiting with"],
])("tells the reason of: %s", (said, reason) => {
  const last = "\ntar: Exiting with failure status due to previous errors\n";
  expect(firstReason(said + last)).toContain(`tar: ${reason}`);
});

it("waits for nobody who writes to a FIFO", async () => {
  const fifo = join(directory, "fifo.tar");
  execFileSync("mkfifo", [fifo]);
  await expect(unpack(nodeHere(), fifo)).rejects.toThrow("fifo.tar: it is a FIFO, and not a file");
});

it("is ended by an interrupt", async () => {
  const interrupt = new AbortController();
  const ended = Promise.withResolvers<unknown>();
  const tar = {
    done: ended.promise,
    signal: (signal: string) => ended.resolve({ exitCode: null, signal }),
  };
  const spawned = Promise.withResolvers<void>();
  const start = () => {
    spawned.resolve();
    return Promise.resolve(tar);
  };
  const node = { ...nodeHere(), spawn: start } as unknown as RunningNode;
  const never = expect(unpack(node, "a.tar", interrupt.signal)).rejects.toThrow("with SIGKILL");
  await spawned.promise;
  interrupt.abort();
  await never;
});
