// SPDX-License-Identifier: MIT
// Goal: who writes a command for the shell, or sets a variable from outside, is told what to write
// instead of what Tcl makes of it. Method: one slip in a file, and the hint for it.

import { expect, test } from "vitest";
import { parseNsFile } from "../../../src/experiment/index.ts";

type Presets = readonly (readonly [string, string])[];

function hints(line: string, presets: Presets = []): (string | undefined)[] {
  const text = `set ns [new Simulator]\nset a [$ns node]\nset b [$ns node]\n${line}\n$ns run\n`;
  const { diagnostics } = parseNsFile(text, { file: "t.ns", pid: "p", eid: "e", presets });
  return diagnostics.map(({ hint }) => hint);
}

const dollar = 'Tcl replaces $i inside "..."; for the shell write \\$i or use {...}.';
const bracket = 'Tcl runs what is in [...] inside "..."; for the shell write \\[ or use {...}.';
const loop = '"for i in 1 2; do echo $i; done"';

test.each([
  [`tb-set-node-startcmd $a ${loop}`, dollar],
  [`set p [$a program-agent -command ${loop}]`, dollar],
  [`$ns at 1 "$a reboot $i"`, dollar],
  ['tb-set-node-startcmd $a "echo [date] x"', bracket],
  ['tb-set-node-startcmd $a "test [ -f x ]"', bracket],
  [
    `tb-set-node-startcmd $a "echo "hi" there"`,
    'A quote inside "..." is written \\"; or use {...}',
  ],
  ["tb-set-node-startcmd $b echo hi", 'Put the command in quotes or braces: "echo hi"'],
  ['set p [$a program-agent -comand "x"]', "Did you mean -command?"],
  ['set first [$ns node]\n$ns at 1 "$frst reboot"', "Did you mean $first"],
])("%s", (line, hint) => {
  expect(hints(line)[0]).toContain(hint);
});

test("what is Tcl's own keeps its hint", () => {
  expect(hints("set first $a\ntb-set-hardware $frst pc")[0]).toMatch(/^Did you mean \$first/);
});

test("a variable that is set from outside and not read is a warning", () => {
  expect(hints("set x 1", [["countt", "3"]])).toEqual([
    "For the programs write --set 'opt(countt)=VALUE'.",
  ]);
  expect(hints("set x $count", [["count", "3"]])).toEqual([]);
  expect(hints("set x 1", [["opt(N)", "3"]])).toEqual([]);
});

test("a file that sources tb_compat.tcl too late or never is told so under --compat", () => {
  const text = "set ns [new Simulator]\nset a [$ns node]\ntb-set-ip-link $a $a 1.1.1.1\n$ns run\n";
  const { diagnostics } = parseNsFile(text, { file: "t.ns", pid: "p", eid: "e", compat: true });
  expect(diagnostics[0]?.hint).toContain("source tb_compat.tcl");
});

test("a delay without a unit is a warning from a second on", () => {
  const found = (delay: string): unknown[] => {
    const line = `set l [$ns duplex-link $a $b 10Mb ${delay} DropTail]`;
    const text = `set ns [new Simulator]\nset a [$ns node]\nset b [$ns node]\n${line}\n$ns run\n`;
    const { diagnostics } = parseNsFile(text, { file: "t.ns", pid: "p", eid: "e" });
    return diagnostics.map(({ severity, code, hint }) => [severity, code, hint]);
  };
  const hint = "Write 20ms for milliseconds, or 20s if that is meant.";
  expect(found("20")).toEqual([["warning", "NS_DELAY_SECONDS", hint]]);
  for (const fine of ["20s", "20ms", "0.02", "0"]) expect(found(fine)).toEqual([]);
});

const links = `set l [$ns duplex-link $a $b 10Mb 20ms DropTail]\n`;

test.each([
  ["tb-set-link-loss $l 1", "Write 0.01 for 1 %;"],
  ["tb-set-link-loss $l 2.5%", "A loss is a probability: write 0.025 for 2.5%."],
  ["$ns at 1 {$l down}", 'In braces $l stays as it is; write the event in quotes: "$l down".'],
  ['$ns at 1 "$l-a delay 5ms"', "Events of NS files are for all of l; muster link set --node"],
])("what a link is told wrongly: %s", (line, hint) => {
  expect(hints(`${links}${line}`)[0]).toContain(hint);
});

test("an event with a delay in another unit than ms is a warning with what it will be", () => {
  const read = (delay: string) => {
    const link = "set l0 [$ns duplex-link $a $b 10Mb 20ms DropTail]";
    const lines = ["set a [$ns node]", "set b [$ns node]", link, `$ns at 1 "$l0 delay ${delay}"`];
    const text = ["set ns [new Simulator]", ...lines, "$ns run\n"].join("\n");
    const { experiment, diagnostics } = parseNsFile(text, { file: "t.ns", pid: "p", eid: "e" });
    const args = experiment?.events.map((event) => event.args);
    return { args, told: diagnostics.map(({ message, hint }) => [message, hint]) };
  };
  const told = (ms: string, text: string, meant: string): unknown => [
    [
      `this event makes the delay ${ms} ms, and not ${text}: events pass over units`,
      `Write $l0 delay ${meant}, or ${ms}ms if that is meant.`,
    ],
  ];
  // As it always went out: who obeys it takes the number.
  expect(read("0.5s")).toEqual({ args: ["DELAY=0.5s"], told: told("0.5", "0.5s", "500ms") });
  expect(read("2500us").told).toEqual(told("2500", "2500us", "2.5ms"));
  expect(read("30s").told).toEqual(told("30", "30s", "30000ms"));
  for (const fine of ["20ms", "20", "0s"]) expect(read(fine).told).toEqual([]);
});

test("sequences that run each other are a warning, and not those that start each other", () => {
  const found = (verb: string): string[] => {
    const text = [
      ...["set ns [new Simulator]", "set s1 [$ns event-sequence]", "set s2 [$ns event-sequence]"],
      ...[
        `$s1 append "$s2 ${verb}"`,
        `$s2 append "$s1 ${verb}"`,
        '$ns at 0 "$s1 start"',
        "$ns run",
      ],
    ].join("\n");
    const { experiment, diagnostics } = parseNsFile(text, { file: "t.ns", pid: "p", eid: "e" });
    expect(experiment).toBeDefined();
    return diagnostics.map(({ severity, code, message }) => `${severity} ${code} ${message}`);
  };
  const circle = "sequence s1 waits for sequence s2 waits for sequence s1";
  expect(found("run")).toEqual([`warning CYCLE these wait for each other: ${circle}`]);
  expect(found("start")).toEqual([]);
});
