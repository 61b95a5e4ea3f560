// SPDX-License-Identifier: MIT
// Goal: the routes of a file are in its model, at their place, and not lost when it is written in
// another language without a word. Method: a file with a route of each kind, printed and read back.
import { expect, test } from "vitest";
import { readYamlExperiment } from "../../../src/boss/read-yaml.ts";
import {
  type Experiment,
  parseNsFile,
  printNs,
  printYaml,
  sayableInYaml,
} from "../../../src/experiment/index.ts";

function read(text: string): Experiment {
  const { experiment, diagnostics } = parseNsFile(text, { file: "r.ns", pid: "p", eid: "e" });
  if (experiment === undefined) throw new Error(JSON.stringify(diagnostics));
  return experiment;
}

const routed = read(`set ns [new Simulator]
source tb_compat.tcl
foreach name {a b c d} { set $name [$ns node] }
set near [$ns duplex-link $a $b 10Mb 0ms DropTail]
set far [$ns make-lan "$b $c $d" 10Mb 0ms]
$a add-route $c $b
$a add-route $far $b
$c add-route [$ns lanlink $near $a] $b
$ns run
`);

test("routes are in the model by names", () => {
  expect(routed.routes?.map(({ node, to, by, at }) => [node, to, by, at.line])).toEqual([
    ["a", { node: "c" }, "b", 6],
    ["a", { link: "far" }, "b", 7],
    ["c", { link: "near", node: "a" }, "b", 8],
  ]);
});

test("an NS file of the model has them", () => {
  const { text = "", diagnostics } = printNs(routed);
  expect(diagnostics).toEqual([]);
  const plain = ({ routes = [] }: Experiment) => routes.map(({ at: _, ...route }) => route);
  expect(plain(read(text))).toEqual(plain(routed));
});

test("so has YAML", () => {
  const { experiment, lost } = sayableInYaml(routed);
  expect(lost).toEqual([]);
  const text = printYaml(experiment);
  expect(text).toContain("to: near-a");
  const back = readYamlExperiment(text, { file: "r.yaml", defaultEid: "e" }).experiment;
  const plain = ({ routes = [] }: Experiment) => routes.map(({ at: _, ...route }) => route);
  expect(back && plain(back)).toEqual(plain(routed));
});
