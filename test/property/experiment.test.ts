// SPDX-License-Identifier: MIT
// Goal: no text crashes or hangs the reader, and it answers the same each time. Method: random
// texts, texts made of the language's own pieces, and damaged experiment files; fast-check prints
// the seed of a failure.

import fc from "fast-check";
import { expect, test } from "vitest";
import { formatDiagnostic, parseNsFile } from "../../src/experiment/index.ts";
import { parseRelativeTime } from "../../src/experiment/ns/units.ts";
import { formatList, parseList } from "../../src/experiment/tcl/list.ts";

const options = { file: "t.ns", pid: "p", eid: "e" };

function check(text: string): void {
  const first = parseNsFile(text, options);
  expect(parseNsFile(text, options)).toEqual(first);
  expect(first.experiment === undefined).toBe(
    first.diagnostics.some(({ severity }) => severity === "error"),
  );
  const lines = text.split("\n");
  for (const diagnostic of first.diagnostics) {
    const { line, column } = diagnostic.at;
    expect(line).toBeLessThanOrEqual(lines.length);
    expect(column).toBeLessThanOrEqual((lines[line - 1] ?? "").length + 1);
    expect(formatDiagnostic(diagnostic, text)).toContain(diagnostic.code);
  }
}

test("parseNsFile() answers for any text", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), check), { numRuns: 500 });
});

const pieces = [
  "set",
  "a",
  "$a",
  "$ns",
  "[",
  "]",
  "{",
  "}",
  '"',
  "\\",
  "\n",
  ";",
  " ",
  "#",
  "(",
  ")",
  "expr",
  "1+",
  "proc f {x}",
  "foreach",
  "if",
  "while",
  "eval",
  "uplevel",
  "upvar",
  "set ns [new Simulator]\n",
  "set n [$ns node]\n",
  "$ns run\n",
  "$ns at 1",
  '"$ns halt"',
  "tb-set-ip",
  "$ns duplex-link $n $n 1Mb 0ms DropTail\n",
  "{*}",
  "${",
  "::",
  "opt(x)",
  "catch",
  "return",
  "break",
  "string map",
  "lindex",
  "format %d",
  "namespace eval N",
  "new",
  "subst",
  "switch",
  "-",
  "end",
  "0",
];

test("parseNsFile() answers for any mixture of the language's pieces", () => {
  const text = fc
    .array(fc.constantFrom(...pieces), { maxLength: 40 })
    .map((words) => words.join(" "));
  fc.assert(fc.property(text, check), { numRuns: 2000 });
});

const whole = `set ns [new Simulator]
foreach n {a b c} { set $n [$ns node] ; tb-set-node-os $n X }
set l [$ns make-lan "$a $b $c" 10Mb 10ms]
set p [$a program-agent -command "echo \\"x\\"" -dir {/tmp}]
set s [$ns event-sequence { $p run
 $p run -tag 2 }]
$ns at 1.5 "$s start; $l down"
tb-set-node-startcmd $b "true"
$ns run
`;

test("parseNsFile() answers for every damaged file", () => {
  for (let at = 0; at < whole.length; at += 1) {
    check(whole.slice(0, at));
    check(whole.slice(0, at) + whole.slice(at + 1));
  }
});

test("parseList() gives back what formatList() was given", () => {
  const element = fc.oneof(
    fc.string({ unit: "binary", maxLength: 12 }),
    fc.string({
      unit: fc.constantFrom("{", "}", "\\", " ", "\n", '"', "[", "$", "#", "a", ";"),
      maxLength: 8,
    }),
  );
  fc.assert(
    fc.property(fc.array(element, { maxLength: 8 }), (elements) => {
      expect(parseList(formatList(elements))).toEqual(elements);
    }),
    { numRuns: 3000 },
  );
});

test("parseRelativeTime() reads every number of microseconds exactly", () => {
  fc.assert(
    fc.property(fc.nat({ max: 1_000_000 }), fc.nat({ max: 999_999 }), (seconds, us) => {
      const text = `${seconds}.${`${us}`.padStart(6, "0")}`;
      const read = parseRelativeTime(text);
      expect(read.ok && read.value.us).toBe(seconds * 1_000_000 + us);
    }),
  );
});
