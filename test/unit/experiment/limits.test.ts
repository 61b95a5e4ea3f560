// SPDX-License-Identifier: MIT
// Goal: every limit holds exactly. Method: one run at the limit, one that passes it by one.

import { describe, expect, test } from "vitest";
import { parseNsFile } from "../../../src/experiment/index.ts";
import * as limits from "../../../src/experiment/limits.ts";
import { tclCommands } from "../../../src/experiment/tcl/commands/index.ts";
import { TclError } from "../../../src/experiment/tcl/error.ts";
import { Interpreter, type InterpreterLimits } from "../../../src/experiment/tcl/interpreter.ts";
import { SourceMap } from "../../../src/experiment/tcl/origin.ts";
import { parseScript } from "../../../src/experiment/tcl/parser.ts";

function run(text: string, bounds: Partial<InterpreterLimits> = {}): string {
  const interp = new Interpreter(new SourceMap(), bounds);
  for (const command of tclCommands) interp.define(command);
  try {
    interp.run(parseScript(text, []));
    return "ok";
  } catch (error) {
    if (error instanceof TclError) return error.code;
    throw error;
  }
}

const head = "set ns [new Simulator]\n";
const options = { file: "t.ns", pid: "p", eid: "e" };

function codes(text: string): string[] {
  return parseNsFile(text, options).diagnostics.map(({ code }) => code);
}

describe("the evaluator", () => {
  test("runs exactly as many steps as it may", () => {
    expect(run("set a 1; set a 1; set a 1", { steps: 3 })).toBe("ok");
    expect(run("set a 1; set a 1; set a 1; set a 1", { steps: 3 })).toBe("TCL_STEPS");
  });

  test("holds exactly as many bytes as it may", () => {
    const room = 10_000;
    const most = room - limits.variableOverheadBytes - "a".length;
    expect(run(`set a [string repeat x ${most}]`, { memoryBytes: room + most })).toBe("ok");
    expect(run(`set a [string repeat x ${room + 1}]`, { memoryBytes: room })).toBe("TCL_MEMORY");
  });

  test("nests exactly as deep as it may", () => {
    const nested = (depth: number): string =>
      `${"if 1 {".repeat(depth - 1)}set a 1${"}".repeat(depth - 1)}`;
    expect(run(nested(limits.tclDepthMax))).toBe("ok");
    expect(run(nested(limits.tclDepthMax + 1))).toBe("TCL_DEPTH");
  });

  test("prints exactly as much as it may", () => {
    const size = limits.outputBytesMax;
    expect(run(`puts -nonewline [string repeat x ${size}]`)).toBe("ok");
    expect(run(`puts -nonewline [string repeat x ${size + 1}]`)).toBe("TCL_OUTPUT");
  });

  test("computes with integers of exactly as many bits as it may", () => {
    expect(run(`expr {2 ** ${limits.integerBitsMax - 2}}`)).toBe("ok");
    expect(run(`expr {2 ** ${limits.integerBitsMax}}`)).toBe("TCL_INTEGER");
  });

  test("ends an endless loop at the real limit within seconds of the processor", () => {
    const before = process.cpuUsage();
    expect(run("while 1 {}")).toBe("TCL_STEPS");
    // What else the machine does takes none of it.
    expect(process.cpuUsage(before).user).toBeLessThan(10_000_000);
  });

  test.each([
    ["set x a; while 1 {append x $x}", "TCL_MEMORY"],
    ["string repeat abcdefghij 1000000000", "TCL_MEMORY"],
    ["set i 0; while 1 {set a([incr i]) $i}", "TCL_MEMORY"],
    ["set x 3; while 1 {set x [expr {$x * $x}]}", "TCL_INTEGER"],
    ["proc f {} {f}; f", "TCL_DEPTH"],
    ["while 1 {catch {while 1 {}}}", "TCL_STEPS"],
    ["while 1 {catch {nothing}}", "TCL_STEPS"],
    ["set x [string repeat a 60000]; while 1 {string match *a*a*a*a*a*a*b $x}", "TCL_STEPS"],
    ["set x [lrepeat 300000 a]; while 1 {lreverse $x}", "TCL_STEPS"],
    ["set x [expr {2 ** 4000}]; while 1 {incr x}", "TCL_STEPS"],
    [`set l [string repeat "{a b} " 300000]; while 1 {lsearch $l zzz*y}`, "TCL_STEPS"],
    [`set l [string repeat "a " 500000]; while 1 {lindex "$l $l" 5}`, "TCL_STEPS"],
    ["set l [string repeat {a b} 3333333]; while 1 {split $l}", "TCL_STEPS"],
    [`set l [string repeat "a { " 500000]; while 1 {list $l}`, "TCL_STEPS"],
    [`set l [string repeat a 10000000]; string first b[string repeat a 1000000] $l`, "TCL_STEPS"],
    ["set l [string repeat a 10000000]; string map {a bb} $l", "TCL_STEPS"],
    [`set l [string repeat "{b a} {a c} " 90000]; while 1 {lsort -index 1 $l}`, "TCL_STEPS"],
    [`puts ${"[".repeat(100_000)}`, "TCL_DEPTH"],
    [`expr ${"(".repeat(100_000)}`, "TCL_DEPTH"],
    ["eval ".repeat(20_000), "TCL_MEMORY"],
  ])("ends %s", (text, code) => {
    // A tenth of the steps shows that each of them is bounded, in a tenth of the time.
    expect(run(text, { steps: limits.tclStepsMax / 10 })).toBe(code);
  });
});

describe("an experiment file", () => {
  test("may chain any number of operators", () => {
    const sum = Array(8000).fill("1").join("+");
    const all = Array(300_000).fill("1").join("&&");
    expect(codes(`${head}set x [expr ${sum}]\nset y [expr {${all} && !0}]\n$ns run\n`)).toEqual([]);
  });

  test("gets a finding when it uses up the stack all the same", () => {
    const inner = (level: number): string =>
      level === 0 ? "1" : `[expr {${"-".repeat(150)}${inner(level - 1)}}]`;
    expect(codes(`${head}set x ${inner(190)}\n$ns run\n`)).toContain("TCL_DEPTH");
  });

  test("is text", () => {
    expect(codes("\x7fELF\0\0\0")).toEqual(["NOT_TEXT"]);
  });

  test("may have exactly the bytes of the limit", () => {
    const body = `${head}$ns run\n#`;
    const padding = "x".repeat(limits.fileBytesMax - body.length);
    expect(codes(body + padding)).toEqual([]);
    expect(codes(`${body + padding}x`)).toEqual(["FILE_TOO_LARGE"]);
  });

  test("may have exactly the events of the limit", () => {
    const file = (count: number): string =>
      `${head}for {set i 0} {$i < ${count}} {incr i} {$ns at $i "$ns log x"}\n$ns run\n`;
    expect(codes(file(limits.eventsMax))).toEqual([]);
    expect(codes(file(limits.eventsMax + 1))).toEqual(["NS_EVENTS"]);
  });

  test("may have exactly the events of one timeline", () => {
    const file = (count: number): string =>
      `${head}set tl [$ns event-timeline]\n` +
      `for {set i 0} {$i < ${count}} {incr i} {$tl at $i "$ns log x"}\n$ns run\n`;
    expect(codes(file(limits.timelineEventsMax))).toEqual([]);
    expect(codes(file(limits.timelineEventsMax + 1))).toEqual(["NS_EVENTS"]);
  });

  test("reports only so many findings, and says that there are more", () => {
    const found = codes("nothing\n".repeat(limits.diagnosticsMax + 50));
    expect(found.length).toBe(limits.diagnosticsMax + 1);
    expect(found.at(-1)).toBe("TOO_MANY_FINDINGS");
  });
});
