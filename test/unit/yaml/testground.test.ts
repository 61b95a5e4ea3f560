// SPDX-License-Identifier: MIT
// Goal: groups of a Testground plan become programs, one for each instance, and are printed back as
// groups; what is wrong with them is told at its place. Method: short files.
import { describe, expect, it } from "vitest";
import { readYamlExperiment } from "../../../src/boss/read-yaml.ts";
import { printNs } from "../../../src/experiment/index.ts";
import type { Experiment } from "../../../src/experiment/model.ts";
import { instancesMax } from "../../../src/experiment/yaml/limits.ts";
import { printYaml } from "../../../src/experiment/yaml/print.ts";
import { withoutPlaces } from "../../property/yaml-model.ts";

const read = (text: string) => readYamlExperiment(text, { file: "a.yaml", defaultEid: "exp" });

function experimentOf(text: string): Experiment {
  const { experiment, diagnostics } = read(text);
  expect(diagnostics).toEqual([]);
  if (experiment === undefined) throw new Error("no experiment");
  return experiment;
}

const found = (text: string): string[] =>
  read(text).diagnostics.map(({ at, code }) => `${at.line}:${at.column} ${code}`);

const plan = `nodes: [a, b]
programs:
  own: { node: a, command: "true" }
testground:
  case: c
  groups:
    g:
      instances: 3
      command: run me
      params: { x: 1, y: two words }
      role: judge
      timeout: 5s
      environment: { A: b }
    h: { instances: 2, node: b, command: "false", expect: 1 }
events:
  - { at: 5s, target: g-1, do: stop }
`;

describe("testground", () => {
  it("makes a program of each instance, dealt out to the nodes, that starts at time 0", () => {
    const { programs, events, testground } = experimentOf(plan);
    expect(programs.map(({ name, node, instance }) => [name, node, instance])).toEqual([
      ["own", "a", undefined],
      ["g-0", "a", { group: "g", number: 0 }],
      ["g-1", "b", { group: "g", number: 1 }],
      ["g-2", "a", { group: "g", number: 2 }],
      ["h-0", "b", { group: "h", number: 0 }],
      ["h-1", "b", { group: "h", number: 1 }],
    ]);
    expect(programs[1]).toMatchObject({
      ...{ command: "run me", timeoutSeconds: 5, environment: [["A", "b"]] },
    });
    expect(programs[4]).toMatchObject({ expectedExitCode: 1 });
    const starts = events.filter(({ event }) => event === "START");
    expect(starts.map(({ object, atUs }) => [object, atUs])).toEqual(
      programs.map(({ name }) => [name, 0]),
    );
    expect(events.at(-1)).toMatchObject({ object: "g-1", event: "STOP", atUs: 5_000_000 });
    expect(testground).toEqual({
      plan: "exp",
      testCase: "c",
      groups: [
        {
          ...{ name: "g", instances: 3, role: "judge" },
          params: [
            ["x", "1"],
            ["y", "two words"],
          ],
        },
        { name: "h", instances: 2, role: "", params: [] },
      ],
    });
  });

  it("is printed as it was read", () => {
    const experiment = experimentOf(plan);
    const printed = printYaml(experiment);
    expect(printed).not.toContain("g-0");
    expect(withoutPlaces(experimentOf(printed))).toEqual(withoutPlaces(experiment));
  });

  it("is not said in NS", () => {
    const messages = printNs(experimentOf(plan)).diagnostics.map(({ message }) => message);
    expect(messages).toContain("an NS file cannot say that g are instances of a Testground plan");
  });

  it("tells what is wrong, at its place", () => {
    const groups = (text: string): string => `nodes: [a]
testground:
  case: c
  groups:
    ${text}
`;
    expect(found("nodes: [a]\ntestground: { groups: {} }\n")).toEqual(["2:15 YAML_MISSING"]);
    expect(found(groups("g: { instances: 0, command: x }"))).toEqual(["5:21 YAML_RANGE"]);
    expect(found(groups("g: { command: x }"))).toEqual(["5:10 YAML_MISSING"]);
    expect(found(groups("g: { instances: 1, command: x, node: z }"))).toEqual([
      "5:42 YAML_UNKNOWN_NAME",
    ]);
    expect(found(groups("a: { instances: 1, command: x }"))).toEqual(["5:5 YAML_NAME_TAKEN"]);
    expect(found(groups("g: { instances: 1, command: x, params: { a|b: 1 } }"))).toEqual([
      "5:46 YAML_NAME",
    ]);
    expect(found("testground: { case: c, groups: { g: { instances: 1, command: x } } }\n")).toEqual(
      ["1:34 YAML_UNKNOWN_NAME"],
    );
  });

  it("instancesMax holds for all groups together", () => {
    const of = (more: number): string => `nodes: [a]
testground:
  case: c
  groups:
    g: { instances: ${instancesMax - 1}, command: x }
    h: { instances: ${more}, command: x }
`;
    expect(found(of(1))).toEqual([]);
    expect(found(of(2))).toEqual(["6:5 YAML_LIMIT"]);
  });
});
