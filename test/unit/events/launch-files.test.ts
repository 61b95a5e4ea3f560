// SPDX-License-Identifier: MIT
// Goal: neither the lock nor the log of a scheduler gives its user a hold on what is root's.
// Method: files in a directory of the test's own, and a device that is always full.
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readFileAs, userFileBytesMax } from "../../../src/events/launch/account.ts";
import { lockFile } from "../../../src/events/launch/file-lock.ts";
import { writeNote } from "../../../src/events/launch/scheduler-log.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "muster-launch-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

describe("lockFile", () => {
  it("makes a file that nobody else can open, and so hold; also of one that others could", async () => {
    const [fresh, old] = [join(directory, "fresh"), join(directory, "old")];
    writeFileSync(old, "");
    chmodSync(old, 0o644);
    for (const path of [fresh, old]) {
      const release = await lockFile(path, 10_000);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      release();
    }
  });

  it("follows no link", async () => {
    const [target, link] = [join(directory, "target"), join(directory, "link")];
    writeFileSync(target, "");
    chmodSync(target, 0o644);
    symlinkSync(target, link);
    await expect(lockFile(link, 10_000)).rejects.toThrow("ELOOP");
    expect(statSync(target).mode & 0o777).toBe(0o644);
  });
});

describe("writeNote", () => {
  it("writes a line, and lets its caller go on when the disk is full", () => {
    const path = join(directory, "log");
    const log = openSync(path, "a");
    writeNote(log, "one");
    closeSync(log);
    expect(readFileSync(path, "utf8")).toBe("one\n");
    const full = openSync("/dev/full", "w");
    expect(() => writeNote(full, "two")).not.toThrow();
    closeSync(full);
  });
});

describe("readFileAs", () => {
  const read = (name: string): string | undefined => readFileAs(undefined, join(directory, name));

  it("reads a small file, also behind a link, and userFileBytesMax at most", () => {
    writeFileSync(join(directory, "small"), "127.0.0.1:2917\n");
    symlinkSync(join(directory, "small"), join(directory, "link"));
    writeFileSync(join(directory, "full"), "x".repeat(userFileBytesMax));
    writeFileSync(join(directory, "over"), "x".repeat(userFileBytesMax + 1));
    expect([read("small"), read("link")]).toEqual(["127.0.0.1:2917\n", "127.0.0.1:2917\n"]);
    expect([read("full")?.length, read("over")]).toEqual([userFileBytesMax, undefined]);
  });

  it("waits for nothing that the user put there in its place", () => {
    execFileSync("mkfifo", [join(directory, "pipe")]);
    symlinkSync("/dev/zero", join(directory, "endless"));
    expect(["pipe", "endless", "none", "."].map(read)).toEqual(Array(4).fill(undefined));
  });
});
