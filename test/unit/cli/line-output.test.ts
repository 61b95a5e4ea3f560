// SPDX-License-Identifier: MIT
// Goal: lines that scripts read stay lines, and a full disk stops nobody. Method: a device that is
// always full, and writers of the test's own.
import { closeSync, openSync, writeSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { lineOutput } from "../../../src/cli/compat/line-output.ts";

describe("lineOutput", () => {
  it("keeps a line one, and steers no terminal", () => {
    const lines: string[] = [];
    const write = lineOutput((line) => lines.push(line));
    write("ignored x\nlog: Time started\u001b[2J\u2028\r.");
    expect(lines).toEqual(["ignored x?log: Time started?[2J??.\n"]);
  });

  it("goes on when the disk is full, and says so once until it can write again", () => {
    const full = openSync("/dev/full", "w");
    let isFull = true;
    const faults: string[] = [];
    const write = lineOutput(
      (line) => void (isFull ? writeSync(full, line) : line),
      (why) => faults.push(why),
    );
    write("a");
    write("b");
    expect(faults).toEqual([expect.stringContaining("ENOSPC")]);
    isFull = false;
    write("c");
    isFull = true;
    write("d");
    expect(faults).toHaveLength(2);
    closeSync(full);
  });
});
