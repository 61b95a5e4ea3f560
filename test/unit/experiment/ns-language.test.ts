// SPDX-License-Identifier: MIT
// Goal: the reference page of the NS language is true. Method: each row of its tables is run in the
// file that the page describes, with and without `compat`, and judged by what the row says.

import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { parseNsFile } from "../../../src/experiment/index.ts";
import { testbedCommands } from "../../../src/experiment/ns/testbed-commands.ts";

const page = readFileSync(
  path.resolve(import.meta.dirname, "../../../docs/reference/ns-language.md"),
  "utf8",
);

interface Row {
  readonly what: string;
  readonly example: string;
  readonly here: string;
  readonly compat: string;
}

const rows: readonly Row[] = page.split("\n").flatMap((line): Row[] => {
  const cells = /^\| ([^`|]+) \| `(.*)` \| ([A-Za-z_]+) \| ([A-Za-z_]*) *\|$/.exec(line);
  if (cells === null) return [];
  const [, what = "", example = "", here = "", compat = ""] = cells;
  return [{ what, example, here, compat: compat === "" ? here : compat }];
});

const before = `source tb_compat.tcl
set ns [new Simulator]
foreach n {a b c} {set $n [$ns node]}
set l0 [$ns duplex-link $a $b 10Mb 10ms DropTail]
set lan0 [$ns make-lan "$a $b $c" 100Mb 0ms]
set p [$a program-agent -command "true"]
set udp [new Agent/UDP]
$ns attach-agent $a $udp
set null [new Agent/Null]
$ns attach-agent $b $null
$ns connect $udp $null
set cbr [new Application/Traffic/CBR]
$cbr attach-agent $udp
`;

/** `yes`, `warns`, or the codes of the errors. */
function judge(example: string, compat: boolean): string {
  const text = `${before}${example}\n$ns run\n`;
  const resolve = (name: string) => (name === "beside.tcl" ? "set beside 1\n" : undefined);
  const { diagnostics } = parseNsFile(text, { file: "t.ns", pid: "p", eid: "e", compat, resolve });
  const codes = diagnostics.flatMap(({ severity, code }) => (severity === "error" ? [code] : []));
  if (codes.length > 0) return [...new Set(codes)].join(" ");
  return diagnostics.some(({ code }) => code === "NS_UNSUPPORTED") ? "warns" : "yes";
}

test("the page has its tables", () => {
  expect(rows.length).toBeGreaterThan(130);
});

describe("ns-language.md", () => {
  test.each(rows)("is true about $what: $example", ({ example, here, compat }) => {
    expect([judge(example, false), judge(example, true)]).toEqual([here, compat]);
  });
});

test("ns-language.md has an example of nearly every tb-* command", () => {
  const missing = [...testbedCommands.keys()].filter((name) => !page.includes(name));
  const elsewhere = [
    // Their tests are in ns-rows.test.ts.
    "tb-bind-parent",
    "tb-make-hard-vtype",
    "tb-elab-in-elab",
    "tb-elab-in-elab-topology",
    "tb-elabinelab-singlenet",
    "tb-set-inner-elab-eid",
    "tb-set-elabinelab-cvstag",
    "tb-unset-elabinelab-attribute",
    "tb-unset-elabinelab-role-attribute",
    "tb-set-node-lan-est-bandwidth",
    "tb-set-lan-backfill",
    "tb-set-node-lan-backfill",
  ];
  expect(missing.filter((name) => !elsewhere.includes(name))).toEqual([]);
});
