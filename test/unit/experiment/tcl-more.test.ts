// SPDX-License-Identifier: MIT
// Goal: regular expressions, dictionaries, scan and sorting by a command are Tcl's. Method: scripts
// and what tclsh answers; where a tclsh is installed it is asked again, so that the table is right.

import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { tclCommands } from "../../../src/experiment/tcl/commands/index.ts";
import { Interpreter } from "../../../src/experiment/tcl/interpreter.ts";
import { SourceMap } from "../../../src/experiment/tcl/origin.ts";
import { parseScript } from "../../../src/experiment/tcl/parser.ts";

function evaluate(text: string, steps = 1_000_000): string {
  const interp = new Interpreter(new SourceMap(), { steps });
  for (const command of tclCommands) interp.define(command);
  try {
    return interp.run(parseScript(text, []));
  } catch (error) {
    return `error: ${error instanceof Error ? error.message : error}`;
  }
}

const rows: readonly (readonly [script: string, result: string])[] = [
  ["regexp {^node-?([0-9]+)$} node-12 all n; list $all $n", "node-12 12"],
  ["regexp -inline {(a+)(b*)} xaabby", "aabb aa bb"],
  ["regexp -all -inline {[0-9]+} a1b22c333", "1 22 333"],
  ["regexp -indices {b+} abbbc w; set w", "1 3"],
  ['regexp -nocase {HELLO} "say hello"', "1"],
  ["regexp {a{2,3}} aaaa m; set m", "aaa"],
  ["regexp {a|ab} abc m; set m", "ab"],
  ["regexp {a.*?c} abcabc m; set m", "abc"],
  ["regexp {a.*c} abcabc m; set m", "abcabc"],
  [
    'regexp {^\\s*(\\w+)\\s*=\\s*(.*)$} "  key = some value" -> k v; list $k $v',
    "key {some value}",
  ],
  ['regexp {[[:digit:]]+\\.[^[:space:]]+} "v 10.2x y" m; set m', "10.2x"],
  ['regexp {\\mfoo\\M} "a foo b"', "1"],
  ['regexp {\\yfoo\\y} "afoo"', "0"],
  ["regexp -start 2 {a} aab", "0"],
  ["regexp -all {a} banana", "3"],
  ["regexp {x(y)?z} xz m y; list $m $y", "xz {}"],
  ["regexp {(?:ab)+(c)} ababc m c; list $m $c", "ababc c"],
  ["regexp -inline -all {(\\w)(\\d)} a1b2", "a1 a 1 b2 b 2"],
  ['regexp {[]a]+} "x]a]" m; set m', "]a]"],
  ['regexp {[^]a]+} "]xy]" m; set m', "xy"],
  ["regexp {a\\.b} a.b", "1"],
  [
    "regexp {(} x",
    "error: couldn't compile regular expression pattern: parentheses () not balanced",
  ],
  [
    "regexp {a**} x",
    "error: couldn't compile regular expression pattern: quantifier operand invalid",
  ],
  [
    "regexp {[z-a]} x",
    "error: couldn't compile regular expression pattern: invalid character range",
  ],
  ["regexp -- {-x} a-x", "1"],
  ["regsub {b+} abbbc X", "aXc"],
  ["regsub -all {([a-z])([0-9])} a1b2 {\\2\\1}", "1a2b"],
  ["regsub -all {x*} abc -", "-a-b-c-"],
  ["regsub -all {a*} aaa -", "--"],
  ["regsub -all {a*} baab -", "-b--b-"],
  ["regexp -all {x*} abc", "3"],
  ["regexp -all {b|$} abc", "2"],
  ["regsub -all {a} banana <&> r; set r", "b<a>n<a>n<a>"],
  ['regsub {(\\w+) (\\w+)} "hello world" {\\2 \\1 \\\\ \\&}', "world hello \\ &"],
  ['regsub -all {[^a-z0-9]} "Hello World" ""', "elloorld"],
  ["switch -regexp foo12 {^[a-z]+$ {set r 1} {^[a-z]+\\d+$} {set r 2} default {set r 3}}", "2"],
  ["lsearch -regexp {a1 b2 c3} {^b}", "1"],
  ["lsearch -all -inline -regexp {a1 b2 c3} {[12]}", "a1 b2"],
  ["proc cmp {a b} {expr {$b - $a}}; lsort -command cmp {3 1 2}", "3 2 1"],
  [
    "proc cmp {a b} {string compare [lindex $a 1] [lindex $b 1]}; lsort -command cmp {{1 z} {2 a}}",
    "{2 a} {1 z}",
  ],
  ["proc cmp {a b} {expr {$b - $a}}; lsort -decreasing -command cmp {3 1 2}", "1 2 3"],
  ["set d [dict create a 1 b 2]; dict set d c 3; dict get $d c", "3"],
  ["dict create a 1 a 2", "a 2"],
  ["set d {}; dict set d x y 1; dict set d x z 2; set d", "x {y 1 z 2}"],
  ["dict get {a {b 5}} a b", "5"],
  ["dict get {a 1} b", 'error: key "b" not known in dictionary'],
  ["dict exists {a {b 5}} a b", "1"],
  ["dict keys {ab 1 ac 2 b 3} a*", "ab ac"],
  ["dict values {ab 1 ac 2 b 3}", "1 2 3"],
  ["set s {}; dict for {k v} {a 1 b 2} {append s $k=$v,}; set s", "a=1,b=2,"],
  ["dict merge {a 1 b 2} {b 3 c 4}", "a 1 b 3 c 4"],
  ["dict remove {a 1 b 2} a", "b 2"],
  ["dict replace {a 1} b 2 a 3", "a 3 b 2"],
  ["set d {}; dict incr d n; dict incr d n 5; set d", "n 6"],
  ["set d {}; dict lappend d l x y; dict lappend d l z; set d", "l {x y z}"],
  ["set d {}; dict append d t x y; set d", "t xy"],
  ["set d {a 1 b {c 2 d 3}}; dict unset d b c; set d", "a 1 b {d 3}"],
  ["dict size {a 1 b 2}", "2"],
  ["dict get {a 1 b}", "error: missing value to go with key"],
  ['scan "12 0x1f abc" "%d %x %s" a b c; list $a $b $c', "12 31 abc"],
  ['scan "10.5kb" "%f%s"', "10.5 kb"],
  ["scan abc %c", "97"],
  ['scan "x=5" "x=%d" v; set v', "5"],
  ['scan "5" "%d %d" a b', "1"],
  ['scan "" "%d" a', "-1"],
  ['scan "12abc" {%[0-9]%[a-z]}', "12 abc"],
  ['scan "12345" "%2d%3d"', "12 345"],
  ['scan "a b" "%*s %s"', "b"],
  ['scan "-7" %d', "-7"],
  ['scan "010" "%i"', "8"],
];

test.each(rows)("evaluate(%j) is what tclsh says", (script, result) => {
  expect(evaluate(script)).toBe(result);
});

const hasTclsh = spawnSync("tclsh", { input: "puts ok" }).stdout?.toString() === "ok\n";

test.skipIf(!hasTclsh)("the table is what the tclsh of this machine says", () => {
  const script = rows
    .map(([text]) => {
      const code = [...text].map((ch) => ch.codePointAt(0)).join(" ");
      return `set code {}; foreach c {${code}} {append code [format %c $c]}
        set i [interp create]
        if {[catch {interp eval $i $code} r]} {set r "error: $r"}
        puts [join [lmap c [split $r {}] {scan $c %c}] " "]`;
    })
    .join("\n");
  const lines = spawnSync("tclsh", { input: script }).stdout.toString().split("\n");
  const answers = lines.map((line) =>
    line === "" ? "" : String.fromCodePoint(...line.split(" ").map(Number)),
  );
  expect(rows.map(([text], at) => [text, answers[at]])).toEqual(rows);
});

describe("regular expressions", () => {
  test.each([
    ["(a)\\1", "back references"],
    ["(?=a)", "look-ahead conditions"],
    ["(?i)a", "embedded options"],
    ["[[.a.]]", "collating elements"],
  ])("%s is refused by name", (pattern, what) => {
    expect(evaluate(`regexp {${pattern}} a`)).toBe(
      `error: ${what} are not available in regular expressions here`,
    );
  });

  test.each(["(a*)*b", "(a|a)*b", "(a+)+b", "(.*)(.*)(.*)(.*)x", "((a?){50}){5}b"])(
    "%s takes time proportional to the text, and is charged for it",
    (pattern) => {
      const text = "a".repeat(20_000);
      expect(evaluate(`regexp {${pattern}} ${text}`, 10_000_000)).toMatch(
        /^0$|^error: .*(steps|large)/,
      );
    },
  );

  test("an endless loop of them ends", () => {
    const script = "set x [string repeat ab 5000]; while 1 {regexp {(a|b)*c} $x}";
    expect(evaluate(script)).toContain("steps without coming to an end");
  });
});
