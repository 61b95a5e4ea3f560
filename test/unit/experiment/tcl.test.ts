// SPDX-License-Identifier: MIT
// Goal: the language is Tcl 8.6 where it exists at all. Method: scripts and what tclsh prints.

import { expect, test } from "vitest";
import { tclCommands } from "../../../src/experiment/tcl/commands/index.ts";
import { Interpreter } from "../../../src/experiment/tcl/interpreter.ts";
import { SourceMap } from "../../../src/experiment/tcl/origin.ts";
import { parseScript } from "../../../src/experiment/tcl/parser.ts";

function evaluate(text: string): string {
  const sources = new SourceMap();
  const source = sources.add("t", text);
  const interp = new Interpreter(sources);
  for (const command of tclCommands) interp.define(command);
  try {
    return interp.run(parseScript(text, [{ text: 0, source, exact: true }], interp.noteLiteral));
  } catch (error) {
    return `error: ${error instanceof Error ? error.message : error}`;
  }
}

const rows: readonly (readonly [script: string, result: string])[] = [
  // Words and substitution.
  ["set a 5; set b a$a", "a5"],
  ['set a {x y}; set b "<$a>"', "<x y>"],
  ["set {a b} 1; set c ${a b}", "1"],
  ["set a(x,1) 7; set i x; set a($i,1)", "7"],
  ["list a\\ b c", "{a b} c"],
  ["set a [list 1 [list 2 3]]", "1 {2 3}"],
  ["list {*}{a b} c", "a b c"],
  ['set a "x\\ty\\x41\\u00e9"', "x\tyAé"],
  ["set a {x\\\n   y}", "x y"],
  ["# comment \\\n still comment\nset a 1", "1"],
  ["set a 1 ;# trailing", "1"],
  ['set a "multi\nline"', "multi\nline"],
  ['set x "a$"', "a$"],
  ["set ::a 1; set a", "1"],
  // Control.
  ["set s 0; for {set i 0} {$i < 5} {incr i} {incr s $i}; set s", "10"],
  ["set s {}; foreach {a b} {1 2 3} c {x y} {lappend s $a$b$c}; set s", "12x 3y"],
  ["set i 0; while 1 {if {[incr i] == 3} break}; set i", "3"],
  ["set s {}; foreach i {1 2 3} {if {$i == 2} continue; lappend s $i}; set s", "1 3"],
  ["if 0 {set a 1} elseif 1 {set a 2} else {set a 3}", "2"],
  ["switch -glob foo {f* {set a 1} default {set a 2}}", "1"],
  ["switch b {a - b {set x ab} c {set x c}}", "ab"],
  ["catch {error boom} m; set m", "boom"],
  ["catch {break}", "3"],
  ["lmap x {1 2 3} {expr {$x * 2}}", "2 4 6"],
  ["eval set a 4", "4"],
  ["set a 1; subst {$a [expr 1+1] \\n}", "1 2 \n"],
  // Procedures and frames.
  ["proc f {x {y 3} args} {list $x $y $args}; f 1", "1 3 {}"],
  ["proc f {x {y 3} args} {list $x $y $args}; f 1 2 3 4", "1 2 {3 4}"],
  ["proc f {} {global g; incr g}; set g 1; f; set g", "2"],
  ["proc f {v} {upvar $v x; incr x}; set g 1; f g; set g", "2"],
  ["proc f {} {uplevel {set z 5}}; f; set z", "5"],
  ["proc f {} {return -code break}; while 1 {f}; set a done", "done"],
  [
    "proc f n {if {$n <= 1} {return 1}; expr {$n * [f [expr {$n - 1}]]}}; f 20",
    "2432902008176640000",
  ],
  ["namespace eval N {variable q 4; proc g {} {variable q; return $q}}; N::g", "4"],
  ["proc f {} {}; f a", 'error: wrong # args: should be "f"'],
  ["proc f {a b} {}; f 1", 'error: wrong # args: should be "f a b"'],
  // Expressions.
  ["expr {7 / 2}", "3"],
  ["expr {-7 / 2}", "-4"],
  ["expr {-7 % 3}", "2"],
  ["expr {1 / 3.0}", "0.3333333333333333"],
  ["expr {2 ** 100}", "1267650600228229401496703205376"],
  ["expr {2 ** 3 ** 2}", "512"],
  ["expr {1e-5}", "1e-5"],
  ["expr {1e15}", "1000000000000000.0"],
  ["expr {1e17}", "1e+17"],
  ["expr {010 + 0x10 + 0b11}", "27"],
  ["expr {1 ? {a} : {b}}", "a"],
  ['set a 01; expr {$a eq "01" && $a == 1}', "1"],
  ["expr {3 in {1 2 3} && 4 ni {1 2 3}}", "1"],
  ["expr {!0 && ~5 == -6}", "1"],
  ["expr {1 || [error no]}", "1"],
  ["expr {0 && [error no]}", "0"],
  ["expr {round(2.5) + int(3.9) + abs(-4)}", "10"],
  ["expr {max(1, 2.5, 2)}", "2.5"],
  ["expr {1 << 70}", "1180591620717411303424"],
  ["expr {5 > 10 ? 1 : 2 + 3}", "5"],
  ["expr 1 + 2", "3"],
  ['expr {"abc" < "abd"}', "1"],
  ["expr {sqrt(2)}", "1.4142135623730951"],
  ["expr {1 / 0}", "error: divide by zero"],
  // Lists.
  ["lindex {a {b c} d} 1 1", "c"],
  ["lindex {a b c} end-1", "b"],
  ["lrange {a b c d} 1 end", "b c d"],
  ["linsert {a c} 1 b", "a b c"],
  ["lreplace {a b c d} 1 2 X", "a X d"],
  ["lsort -integer {10 9 1}", "1 9 10"],
  ["lsort -dictionary {a10 a9 A1}", "A1 a9 a10"],
  ["lsort -unique {b a b}", "a b"],
  ["lsearch -all -inline {ab ac bc} a*", "ab ac"],
  ["lassign {1 2 3} x y; list $x $y", "1 2"],
  ["concat {a b} {} {c {d e}}", "a b c {d e}"],
  ["join {a b c} -", "a-b-c"],
  ["split a,b,,c ,", "a b {} c"],
  ["split abc {}", "a b c"],
  ["llength {a {b c} {}}", "3"],
  ["list # a", "{#} a"],
  ["list {a b} \\{ {}", "{a b} \\{ {}"],
  ["lindex {a {b} 1", "error: missing close-brace"],
  // Strings and format.
  ["string range abcdef 1 end-1", "bcde"],
  ["string map {a 1 b 2} abc", "12c"],
  ["string match {a[b-d]?*} acxyz", "1"],
  ["string first b abcb", "1"],
  ["string trim {  x }", "x"],
  ["string is integer -strict {}", "0"],
  ["string equal -nocase AB ab", "1"],
  ["string totitle hELLO", "Hello"],
  ["string repeat ab 3", "ababab"],
  ["string compare a b", "-1"],
  ["format {%5.2f|%-5s|%05d|%x} 3.14159 ab 42 255", " 3.14|ab   |00042|ff"],
  ["format %s-%c a 65", "a-A"],
  ["format %2\\$s%1\\$s a b", "ba"],
  ["format %g 0.0001", "0.0001"],
  ["format %e 12345.678", "1.234568e+04"],
  // Arrays and info.
  ["array set a {x 1 y 2}; lsort [array names a]", "x y"],
  ["set a(x) 1; list [info exists a(x)] [info exists a(y)] [info exists b]", "1 0 0"],
  ["set a(x) 1; unset a(x); array size a", "0"],
  // What does not exist here says so.
  ["exec ls", 'error: the command "exec" is not available'],
  ["open /etc/passwd", 'error: the command "open" is not available'],
];

test.each(rows)("evaluate(%j) is what tclsh says", (script, result) => {
  expect(evaluate(script)).toBe(result);
});
