// SPDX-License-Identifier: MIT
// Goal: a link that cannot be as it is asked for is refused with both figures and what to write
// instead, as root and as an ordinary user; it never takes the shaping of the other links with it.
// Method: runs of real commands on files that are right but for one number.
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { isRoot, modes } from "./nodes-support/harness.ts";
import { run, scratch } from "./support/command.ts";
import { readResult, writeExperiment } from "./support/experiment.ts";

const nodes = `set a [$ns node]
set b [$ns node]
set c [$ns node]
set good [$ns duplex-link $b $c 10Mb 5ms DropTail]`;

const others = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
type Person = readonly [who: string, prefix: readonly string[]];
const people: Person[] = isRoot
  ? [
      ["root", []],
      ["an ordinary user", others],
    ]
  : [["an ordinary user", []]];

/** NS files have a bound of their own. */
const fast = `nodes: [a, b, c]
links:
  l: { between: [a, b], bandwidth: 90Gbps, delay: 5ms }
  good: { between: [b, c], bandwidth: 10Mbps, delay: 5ms }
`;

const overlapping = `set l [$ns duplex-link $a $b 10Mb 5ms DropTail]
tb-set-ip-link $a $l 10.1.1.2
tb-set-ip-link $b $l 10.1.1.3
tb-set-ip-link $b $good 10.1.1.4
tb-set-ip-link $c $good 10.1.1.5`;

interface Refusal {
  readonly what: string;
  /** Of an NS file. */
  readonly link?: string;
  readonly why: RegExp;
  readonly argv?: readonly string[];
}

const refusals: readonly Refusal[] = [
  {
    what: "a rate above what the machine carries",
    why: /^link l at a: bandwidth 90000 Mb\/s is more than [a-z -]+ carries here, \d+ Mb\/s; ask for less/,
  },
  {
    what: "a delay in which more is on its way than is kept",
    link: "set l [$ns duplex-link $a $b 1000Mb 30s DropTail]",
    why: /^link l at a: 1000 Mb\/s for 30000 ms are 3750000000 bytes .*; take a smaller bandwidth or delay/,
  },
  {
    what: "a delay longer than any",
    link: "set l [$ns duplex-link $a $b 1Mb 4000s DropTail]",
    why: /^link l at a: delay 4000000 ms is not from 0 to 3600000 ms \(delayUsMax\)/,
  },
  {
    what: "addresses that overlap",
    link: overlapping,
    why: /: b is on good \(10\.1\.1\.0\/24\) and on l .*overlap; give one of them another subnet$/,
    argv: ["--nodes", "netns"],
  },
  {
    what: "such addresses, where a network of their own is not asked for by name",
    link: overlapping,
    why: /^b is on good \(10\.1\.1\.0\/24\) and on l .*; give one of them another subnet, or use --nodes process, which makes no links$/,
  },
];

describe.runIf(modes.includes("namespace")).each(people)("a run of %s is refused", (_, prefix) => {
  test.each(refusals)("for $what", async ({ link, why, argv = [] }) => {
    const directory = scratch();
    chmodSync(directory, 0o777);
    const yaml = join(directory, "fast.yaml");
    writeFileSync(yaml, fast);
    const path = link === undefined ? yaml : writeExperiment(`${nodes}\n${link}`, directory);
    const out = join(directory, "out");
    const how = { prefix, env: { HOME: directory } };
    const { code } = await run("muster", ["run", path, "--out", out, ...argv], how);
    const { outcome, endedBy, error } = readResult(out);
    expect({ code, outcome, endedBy }).toEqual({ code: 1, outcome: "failed", endedBy: "failure" });
    expect(error?.message).toMatch(why);
  });
});
