// SPDX-License-Identifier: MIT
// Goal: a log that was lost is not begun anew beside its topics and snapshots, nor at a second
// start, and nothing is made in its place.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkKind } from "../../../src/engine/file-kind.ts";
import {
  checkLogName,
  openLog,
  openPayloads,
  openSnapshots,
} from "../../../src/engine/open-log.ts";
import { systemClock } from "../../../src/host/clock.ts";

let folder = "";
let file = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "muster-open-log-"));
  file = join(folder, "log");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = () => openLog(`sqlite:${file}`, systemClock);

async function begin(messages: number): Promise<void> {
  const log = await open();
  const payloads = await openPayloads(`sqlite:${file}`, { clock: systemClock });
  for (let at = 0; at < messages; at += 1) await payloads.write(new Uint8Array(1));
  await payloads.close();
  await log.close();
}

describe("openLog()", () => {
  it.each([
    ["", "/dev/null", "is a pipe, a device or a socket"],
    [".lock", "/dev/null", "is a pipe, a device or a socket"],
    [".topics", "/dev/null", "is a pipe, a device or a socket"],
    ["", "log", "too many symbolic links"],
  ])("refuses FILE%s that leads to %s, by its name", async (part, target, text) => {
    symlinkSync(target, `${file}${part}`);
    await expect(open()).rejects.toThrow(`${file}${part}`);
    await expect(open()).rejects.toThrow(text);
  });

  // Opened, the pipe would hold up the process; so this is asked before anything opens it.
  it("knows a pipe from a file, and leaves what is not there or a directory to SQLite", () => {
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    expect(() => checkKind(pipe)).toThrow(`${pipe} is a pipe, a device or a socket; name a file`);
    expect(() => checkKind(folder)).not.toThrow();
    expect(() => checkKind(file)).not.toThrow();
  });

  it.each([
    ["removed", () => rmSync(file)],
    ["emptied", () => truncateSync(file)],
  ])("refuses a file that was %s beside messages of its topics, each time", async (_, lose) => {
    await begin(2);
    lose();
    const text = `${file} is not there or empty, and ${file}.topics has messages up to 2 of it`;
    await expect(open()).rejects.toThrow(text);
    await expect(open()).rejects.toThrow(text);
    rmSync(`${file}.topics`);
    await (await open()).close();
  });

  it.each([
    ["not there", "snapshots", () => rmSync(file)],
    ["empty", "snapshots", () => truncateSync(file)],
    ["not there", "topics", () => rmSync(file)],
    ["empty", "topics", () => truncateSync(file)],
  ])("refuses a file that is %s beside that of its %s, empty too, each time", async (...row) => {
    const [state, part, lose] = row;
    await begin(0);
    await (await openSnapshots(`sqlite:${file}`, { clock: systemClock }, () => undefined)).close();
    for (const other of ["snapshots", "topics"]) if (other !== part) rmSync(`${file}.${other}`);
    lose();
    const text = `${file} is ${state}, and ${file}.${part} is there, which is made after it`;
    await expect(open()).rejects.toThrow(text);
    await expect(open()).rejects.toThrow(text);
    expect(existsSync(file)).toBe(state === "empty");
    rmSync(`${file}.${part}`);
    await (await open()).close();
  });

  it("has a layout before anything is made beside it", async () => {
    const log = await open();
    expect(statSync(file).size).toBeGreaterThan(0);
    await log.close();
    await begin(0);
    await (await open()).close();
  });
});

describe("checkLogName()", () => {
  it.each([
    ["sqlite://core.log", "sqlite:core.log"],
    ["sqlite:///var/core.log", "sqlite:/var/core.log"],
  ])("takes %s for no file of the root directory, and says what is meant", (name, meant) => {
    const text = `there is no log '${name}'; give the file behind the colon, without two slashes: ${meant}`;
    expect(() => checkLogName(name)).toThrow(text);
    expect(() => checkLogName(meant)).not.toThrow();
  });
});
