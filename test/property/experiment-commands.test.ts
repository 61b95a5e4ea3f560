// SPDX-License-Identifier: MIT
// Goal: no command, method, event or expression of an experiment file crashes the reader, and none
// gets past its limits. Method: random calls of everything there is, with arguments of every kind,
// with and without `compat`. fast-check prints the seed of a failure. Texts that once found a fault
// are kept in corpus/ and run by fuzz.test.ts.

import fc from "fast-check";
import { expect, test } from "vitest";
import { formatDiagnostic, parseNsFile } from "../../src/experiment/index.ts";
import { memberKinds } from "../../src/experiment/ns/language.ts";
import { testbedCommands } from "../../src/experiment/ns/testbed-commands.ts";
import { tclCommands } from "../../src/experiment/tcl/commands/index.ts";
import { TclError } from "../../src/experiment/tcl/error.ts";
import { matchRegexp } from "../../src/experiment/tcl/regexp.ts";
import { compileRegexp } from "../../src/experiment/tcl/regexp-parser.ts";

const head = `source tb_compat.tcl
set ns [new Simulator]
foreach n {a b c} {set $n [$ns node]}
set br [$ns bridge]
set l0 [$ns duplex-link $a $b 10Mb 10ms DropTail]
set lan0 [$ns make-lan "$a $b $c" 100Mb 0ms]
set p [$a program-agent -command "true"]
set q [[$ns link $a $b] queue]
set h [$ns link $a $b]
set udp [new Agent/UDP]
set null [new Agent/Null]
set cbr [new Application/Traffic/CBR]
set g [new EventGroup $ns]
set s [$ns event-sequence]
set tl [$ns event-timeline]
set con [$a console]
set t [new Topography]
set fw [new Firewall $ns]
set path [$ns make-path "$l0"]
set x [new ErrorModel]
`;
const names = "ns a b c br l0 lan0 p q h udp null cbr g s tl con t fw path x".split(" ");

function check(text: string): void {
  for (const compat of [false, true]) {
    const options = { file: "t.ns", pid: "p", eid: "e", compat };
    const first = parseNsFile(text, options);
    expect(parseNsFile(text, options)).toEqual(first);
    expect(first.experiment === undefined).toBe(
      first.diagnostics.some(({ severity }) => severity === "error"),
    );
    for (const diagnostic of first.diagnostics) {
      expect(formatDiagnostic(diagnostic, text)).toContain(diagnostic.code);
    }
    // What was accepted is plain data.
    expect(JSON.parse(JSON.stringify(first.experiment ?? null))).toEqual(first.experiment ?? null);
  }
}

const values = [
  "0",
  "1",
  "-1",
  "1.5",
  "99999999999999999999",
  "10Mb",
  "10ms",
  "*",
  "0.1",
  "1e400",
  "NaN",
  "10.1.1.2",
  "255.255.255.252",
  "0.0.0.0",
  "{}",
  "{a b}",
  '"x;y"',
  "/tmp",
  "/proj/x.tar.gz",
  "pc",
  "header",
  "-command",
  "-script",
  "__proto__",
  "nobody",
  '"[list a b]"',
  "\\{",
];
const object = fc.constantFrom(...names).map((name) => `$${name}`);
const value = fc.oneof(object, fc.constantFrom(...values));
const words = fc.array(value, { maxLength: 9 }).map((list) => list.join(" "));
const methods = [...new Set([...memberKinds.values()].flatMap((table) => [...table.keys()]))];
const events =
  "start stop run reset set kill up down bandwidth delay plr trace reboot snapshot-to reload " +
  "setdest halt swapout msg log report snapshot linktest trace-for reset-lans create clear";

const call = fc.oneof(
  fc
    .tuple(fc.constantFrom(...testbedCommands.keys()), words)
    .map(([name, rest]) => `${name} ${rest}`),
  fc
    .tuple(object, fc.constantFrom(...methods), words)
    .map(([self, name, rest]) => `${self} ${name} ${rest}`),
  fc
    .tuple(
      value,
      object,
      fc.constantFrom(...events.split(" ")),
      fc.array(fc.constantFrom(...values.filter((text) => !text.includes('"'))), { maxLength: 4 }),
    )
    .map(([time, self, event, rest]) => `$ns at ${time} "${self} ${event} ${rest.join(" ")}"`),
);

test("parseNsFile() answers for any calls of what there is", () => {
  const file = fc
    .array(call, { minLength: 1, maxLength: 12 })
    .map((lines) => `${head}${lines.join("\n")}\n$ns run\n`);
  fc.assert(fc.property(file, check), { numRuns: 600 });
}, 60_000);

test("parseNsFile() answers for any commands of the language", () => {
  const argument = fc.oneof(
    fc.constantFrom(...values),
    fc.constantFrom(
      "x",
      "{set x 1}",
      "{x y}",
      "$x",
      "[list 1 2]",
      "-all",
      "-inline",
      "--",
      "%d",
      "end",
    ),
    fc.constantFrom("create", "get", "for", "names", "range", "map", "eval", "exists", "(", "a{2}"),
  );
  const line = fc
    .tuple(
      fc.constantFrom(...tclCommands.map(({ name }) => name)),
      fc.array(argument, { maxLength: 6 }),
    )
    .map(([name, rest]) => `catch {${name} ${rest.filter((text) => text !== "\\{").join(" ")}}`);
  const file = fc.array(line, { maxLength: 10 }).map((lines) => `set x 1\n${lines.join("\n")}\n`);
  fc.assert(fc.property(file, check), { numRuns: 600 });
}, 60_000);

/** The same match by the platform's own matcher, for patterns that mean the same to both. */
test("matchRegexp() finds a match where JavaScript does, and at the same place", () => {
  const atom = fc.constantFrom("a", "b", ".", "[ab]", "[^a]", "(a)", "(?:b)", "\\w", "^", "$");
  const piece = fc
    .tuple(atom, fc.constantFrom("", "", "*", "+", "?", "{1,2}"))
    .map(([one, times]) => (one === "^" || one === "$" ? one : one + times));
  const pattern = fc.array(piece, { minLength: 1, maxLength: 5 }).map((list) => list.join(""));
  const text = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 8 });
  fc.assert(
    fc.property(pattern, text, (source, subject) => {
      const theirs = new RegExp(source, "s").exec(subject);
      const ours = matchRegexp(compileRegexp(source, false), subject, 0);
      expect(ours?.[0]).toBe(theirs?.index);
    }),
    { numRuns: 3000 },
  );
});

test("compileRegexp() answers for any pattern", () => {
  const pattern = fc.oneof(
    fc.string({ maxLength: 30 }),
    fc.string({ unit: fc.constantFrom(..."()[]{}|*+?^$\\.ab12,:-"), maxLength: 20 }),
  );
  fc.assert(
    fc.property(pattern, fc.string({ maxLength: 20 }), (source, subject) => {
      try {
        matchRegexp(compileRegexp(source, true), subject, 0);
      } catch (error) {
        expect(error).toBeInstanceOf(TclError);
      }
    }),
    { numRuns: 3000 },
  );
});

test("parseNsFile() stays within its memory for files that ask for more", () => {
  const before = process.memoryUsage().heapUsed;
  for (const text of [
    "set x [string repeat a 60000000]\nset y $x\n",
    "set x a\nwhile 1 {append x $x}\n",
    "while 1 {lappend x [list $x $x]}\n",
    "set x {}\nwhile 1 {dict set x [incr i] [string repeat y 1000]}\n",
    "while 1 {regsub -all {} [string repeat a 1000] {&&&&} y; append z $y}\n",
    "set ns [new Simulator]\nwhile 1 {$ns node}\n",
    "set ns [new Simulator]\nwhile 1 {new ErrorModel}\n",
  ]) {
    const { diagnostics } = parseNsFile(text, { file: "t.ns", pid: "p", eid: "e" });
    expect(diagnostics.length, text).toBeGreaterThan(0);
    expect(process.memoryUsage().heapUsed - before, text).toBeLessThan(1_500_000_000);
  }
}, 60_000);
