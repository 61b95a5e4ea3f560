// SPDX-License-Identifier: MIT
// Goal: a program that puts something else in the place of the file with the address of its run's
// bus holds nobody up who reads it: a daemon reads it for `muster status`. Method: files in a
// directory of the test's own.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readEventServer } from "../../../src/testbed/event-server-file.ts";

let directory = "";
let file = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "muster-server-"));
  mkdirSync(join(directory, "proj/tbdata"), { recursive: true });
  file = join(directory, "proj/tbdata/eventserver");
});
afterEach(() => rmSync(directory, { recursive: true }));

describe("readEventServer", () => {
  it("reads the address, and nothing where there is none", () => {
    expect(readEventServer(directory)).toBeUndefined();
    writeFileSync(file, "127.0.0.1:2917\n");
    expect(readEventServer(directory)).toBe("127.0.0.1:2917");
  });

  it("takes 300 bytes at most", () => {
    writeFileSync(file, "h".repeat(300));
    expect(readEventServer(directory)).toHaveLength(300);
    writeFileSync(file, "h".repeat(301));
    expect(readEventServer(directory)).toBeUndefined();
  });

  it("waits for no pipe, reads no device, and follows no link", () => {
    execFileSync("mkfifo", [file]);
    expect(readEventServer(directory)).toBeUndefined();
    for (const target of ["/dev/zero", "/etc/hostname"]) {
      rmSync(file);
      symlinkSync(target, file);
      expect(readEventServer(directory)).toBeUndefined();
    }
  });
});
