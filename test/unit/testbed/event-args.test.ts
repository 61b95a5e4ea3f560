// SPDX-License-Identifier: MIT
// Goal: arguments of events are read as the old agents read them. [EMULAB-EVENTS 4.4]
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findArg, parseProgramArgs } from "../../../src/testbed/agents/event-args.ts";

describe("parseProgramArgs()", () => {
  it.each([
    ["", {}],
    ["COMMAND=echo 1", { command: "echo 1" }],
    ["COMMAND=", { command: "" }],
    ["command=a b=c", { command: "a b=c" }],
    ["COMMAND='quotes' \"stay\"", { command: "'quotes' \"stay\"" }],
    ["DIR=/tmp COMMAND=ls DIR=/no", { directory: "/tmp", command: "ls DIR=/no" }],
    ["DIR={/with blank} TIMEOUT=5", { directory: "/with blank", timeoutSeconds: 5 }],
    ["DIR='/with blank' TAG=x", { directory: "/with blank", tag: "x" }],
    ["DIR= TAG=x", { directory: "", tag: "x" }],
    ["EXPECTED_EXIT_CODE=3 TIMEOUT=1.5", { expectedExitCode: 3, timeoutSeconds: 1.5 }],
    ["TIMEOUT=soon", { timeoutSeconds: 0 }],
    ["XCOMMAND=no", {}],
  ])("reads %j", (args, expected) => {
    expect(parseProgramArgs(args)).toEqual(expected);
  });

  it("gives a command back whole, whatever is in it", () => {
    fc.assert(
      fc.property(fc.string(), (command) => {
        expect(parseProgramArgs(`DIR=/d COMMAND=${command}`)).toEqual({ directory: "/d", command });
      }),
    );
  });
});

describe("findArg()", () => {
  it("finds a value behind others, without regard to the case of its key", () => {
    expect(findArg("A=1 b={x {y} z} C='q r' D=4", "B")).toBe("x {y} z");
    expect(findArg("A=1 b={x {y} z} C='q r' D=4", "C")).toBe("q r");
    expect(findArg("A=1 b={x {y} z} C='q r' D=4", "D")).toBe("4");
  });

  it("finds nothing behind what is not closed, and never hangs", () => {
    expect(findArg("A={never closed B=1", "B")).toBeUndefined();
    expect(findArg("A='never closed B=1", "B")).toBeUndefined();
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."AB={}' \t1") }), (args) => {
        findArg(args, "A");
      }),
    );
  });
});
