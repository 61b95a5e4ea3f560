// SPDX-License-Identifier: MIT
// Goal: the file of a capture has whole packets whatever the disk does, and what was there before
// is not removed (F1, F2). Method: real files, and the device that is always full.
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { CaptureFile } from "../../../src/cli/commands/capture-file.ts";
import { PcapWriter, pcapFileHeader } from "../../../src/network/pcap-writer.ts";

let directory = "";
let path = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "muster-capture-"));
  path = join(directory, "c.pcap");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function record(): Uint8Array {
  const writer = new PcapWriter(100, 100);
  writer.put(0, new Uint8Array(4), 0);
  return writer.take();
}

it("keeps whole packets, and removes only what it has made", () => {
  const file = new CaptureFile(path);
  expect(file.take(Buffer.concat([pcapFileHeader(100), record(), Uint8Array.of(0)]))).toBe(true);
  expect(file.kept).toEqual({ packets: 1, bytes: 44, isFull: false });
  file.close();
  expect(readFileSync(path)).toHaveLength(44);
  file.remove();
  expect(existsSync(path)).toBe(false);
  writeFileSync(path, "");
  const other = new CaptureFile(path);
  other.close();
  other.remove();
  expect(existsSync(path)).toBe(true);
});

it("says that the disk is full, once, and takes no more", () => {
  symlinkSync("/dev/full", path);
  const file = new CaptureFile(path);
  expect(file.take(pcapFileHeader(100))).toBe(false);
  expect(file.take(record())).toBe(false);
  const problem = expect.stringContaining("ENOSPC");
  expect(file.kept).toEqual({ packets: 0, bytes: 0, isFull: false, problem });
  file.close();
});

it("says why it cannot be made", () => {
  const make = (): CaptureFile => new CaptureFile(join(directory, "none/c.pcap"));
  expect(make).toThrow(/^cannot write .*ENOENT/);
});
