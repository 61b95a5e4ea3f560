// SPDX-License-Identifier: MIT
// Goal: arguments of events are read as the old parser read them where it was right, and what is
// written is read back. Method: cases of the specification, the two old faults by name, a round
// trip over texts made of what the grammar steers by. [EMULAB-EVENTS 1.6, 4.4]
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  findArg,
  formatArgs,
  formatCompletionArgs,
  getArg,
  getIntegerArg,
  parseCompletionArgs,
} from "../../../src/wire/event/args.ts";
import { parseProgramArgs } from "../../../src/wire/event/program-args.ts";

/** Texts full of what means something in ARGS. */
const syntax = fc.string({ unit: fc.constantFrom(..."AB={}' \t1é") });

describe("findArg()", () => {
  it.each([
    ["A=1 b={x {y} z} C='q r' D=4", "B", "x {y} z"],
    ["A=1 b={x {y} z} C='q r' D=4", "c", "q r"],
    ["A=1 b={x {y} z} C='q r' D=4", "D", "4"],
    ["A=1 A=2", "A", "1"],
    ["AB=1 A=2", "A", "2"],
    ["A=", "A", ""],
    ["A={} B=''", "B", ""],
    ["\tA=1\t \tB=x=y", "B", "x=y"],
    ["A='it{' B={don't} C=1", "C", "1"],
  ])("finds in %j the value of %s", (args, key, value) => {
    expect(findArg(args, key)).toEqual({ kind: "found", value });
  });

  it.each([
    ["", "A"],
    ["A=1", "B"],
    ["A 1", "A"],
    ["word", "word"],
  ])("finds in %j nothing for %s", (args, key) => {
    expect(findArg(args, key)).toEqual({ kind: "absent" });
  });

  it.each(["A={never {closed} B=1", "A='never closed B=1"])(
    "says what is not closed in %j",
    (args) => {
      expect(findArg(args, "B")).toMatchObject({ kind: "malformed" });
      expect(findArg(`B=0 ${args}`, "B")).toEqual({ kind: "found", value: "0" });
    },
  );

  it("does not take words of another value for keys, as the old parser did", () => {
    expect(getArg("COMMAND={x TAG=evil y} TAG=ok", "TAG")).toBe("ok");
    expect(getArg("COMMAND='x TAG=evil y'", "TAG")).toBeUndefined();
  });

  it("passes over words without =, where the old parser ended", () => {
    expect(getArg("now A=1 then", "A")).toBe("1");
  });

  it("never hangs or throws, and finds the same in what it was given twice", () => {
    fc.assert(
      fc.property(syntax, (args) => {
        const found = findArg(args, "A");
        if (found.kind === "found") expect(findArg(`${args} ${args}`, "A")).toEqual(found);
      }),
    );
  });
});

describe("formatArgs()", () => {
  it("writes each value in the plainest form that brings it back", () => {
    const items = [
      ["PLAIN", "5"],
      ["EMPTY", ""],
      ["BLANK", "a b"],
      ["QUOTE", "it's here"],
      ["BRACE", "{x}"],
    ] as const;
    expect(formatArgs(items)).toEqual({
      kind: "args",
      text: "PLAIN=5 EMPTY= BLANK='a b' QUOTE={it's here} BRACE='{x}'",
    });
  });

  it("refuses what no form can carry, and keys that are none", () => {
    expect(formatArgs([["A", "it's a { lone brace"]])).toMatchObject({ kind: "refused" });
    for (const key of ["", "A B", "A=B", "A\t"]) {
      expect(formatArgs([[key, "1"]])).toMatchObject({ kind: "refused" });
    }
  });

  it("is undone by findArg(), whatever the values are", () => {
    fc.assert(
      fc.property(fc.array(syntax, { maxLength: 5 }), (values) => {
        const items = values.map((value, index) => [`K${index}`, value] as const);
        const formatted = formatArgs(items);
        if (formatted.kind === "refused") return;
        for (const [key, value] of items) {
          expect(findArg(formatted.text, key)).toEqual({ kind: "found", value });
        }
      }),
    );
  });
});

describe("completions", () => {
  it("are written with the leading blank of the old helper and read back", () => {
    expect(formatCompletionArgs({ error: 0, token: 17 })).toBe(" ERROR=0 CTOKEN=17");
    expect(parseCompletionArgs(" ERROR=-1 CTOKEN=17")).toEqual({ error: -1, token: 17 });
  });

  it.each(["", "ERROR=0", "CTOKEN=1", "ERROR=x CTOKEN=1", "ERROR=0 CTOKEN="])(
    "are none without both numbers: %j",
    (args) => {
      expect(parseCompletionArgs(args)).toBeUndefined();
    },
  );

  it("take decimal integers only", () => {
    expect(getIntegerArg("A=0x10", "A")).toBeUndefined();
    expect(getIntegerArg("A=1e3", "A")).toBeUndefined();
    expect(getIntegerArg("A=+5", "A")).toBe(5);
  });
});

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
