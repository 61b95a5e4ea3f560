// SPDX-License-Identifier: MIT
// Goal: `muster status` says what version the log of its server is of, and whom a newer one waits
// for; of a daemon of an older build, which does not say, it shows the rest. Method: the command at
// a real socket, behind which somebody answers as a daemon does.
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, it, onTestFinished } from "vitest";
import { type Answer, formatLine, protocolFormat } from "../../../src/boss/protocol.ts";
import { resolveStateDirectory } from "../../../src/boss/state-directory.ts";
import { describeLog, statusCommand } from "../../../src/cli/commands/status.ts";
import type { CommandIo } from "../../../src/cli/io.ts";

it.each([
  [9, ["b", "c"], "version 9 until no server of an older build lives (b, c), then of 11"],
  [9, [], "version 9, soon of 11"],
  [11, [], "version 11, the newest known here"],
])("version %d with older servers %j", (version, olderServers, said) => {
  expect(describeLog({ version, versionMax: 11, olderServers })).toBe(`the log is of ${said}`);
});

it("a log that takes nothing is told", () => {
  const log = { version: 11, versionMax: 11, olderServers: [], outage: "the log takes nothing" };
  const said = "the log is of version 11, the newest known here; the log takes nothing now";
  expect(describeLog(log)).toBe(said);
});

/** What the command prints when it is answered so. */
async function printed(value: unknown, json: boolean): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "muster-status-"));
  const server = createServer((socket) => {
    const answers: Answer[] = [
      { kind: "welcome", format: protocolFormat, pid: process.pid },
      { kind: "done", value },
    ];
    // One for the hello, one for the request.
    createInterface({ input: socket }).on("line", () => {
      const answer = answers.shift();
      if (answer !== undefined) socket.write(formatLine(answer));
    });
  });
  onTestFinished(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });
  const { socket } = resolveStateDirectory(folder, {});
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  let stdout = "";
  const io: CommandIo = {
    stdout: (text) => {
      stdout += text;
    },
    stderr: () => undefined,
  };
  expect(await statusCommand({ id: null, state: folder, json }, io)).toBe(0);
  return stdout;
}

const nothingUp = "no experiments; start one with: muster up FILE\n";

it("the line of the log is behind the table", async () => {
  const log = { version: 11, versionMax: 11, olderServers: [] };
  const all = { experiments: [], log };
  expect(await printed(all, false)).toBe(`${nothingUp}${describeLog(log)}\n`);
  expect(JSON.parse(await printed(all, true))).toEqual(all);
  expect(await printed({ ...all, log: null }, false)).toBe(nothingUp);
});

it("a daemon of an older build answers with a list", async () => {
  expect(await printed([], false)).toBe(nothingUp);
  expect(JSON.parse(await printed([], true))).toEqual({ experiments: [], log: null });
});
