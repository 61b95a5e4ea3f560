// SPDX-License-Identifier: MIT
// Goal: what a file wants on its nodes and a run does not put there is said. Method: files.
import { expect, it } from "vitest";
import { parseNsFile } from "../../../src/experiment/index.ts";
import { describeNotInstalled } from "../../../src/testbed/not-installed.ts";

it.each([
  ["", []],
  // What is unpacked is the nodes' affair.
  ["tb-set-node-tarfiles $a /opt /proj/p/x.tgz", []],
  ["tb-set-node-rpms $b /proj/p/x.rpm", ["nothing is installed on b (packages)"]],
])("describeNotInstalled() of %j", (line, said) => {
  const nodes = "source tb_compat.tcl\nset a [$ns node]\nset b [$ns node]";
  const text = `set ns [new Simulator]\n${nodes}\n${line}\n$ns run\n`;
  const { experiment } = parseNsFile(text, { file: "a.ns", pid: "p", eid: "e" });
  if (experiment === undefined) throw new Error("the file is good");
  expect(describeNotInstalled(experiment)).toEqual(said);
});
