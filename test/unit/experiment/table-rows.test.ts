// SPDX-License-Identifier: MIT
// Goal: an experiment in YAML has the rows of the NS file that says the same, and as much of them
// as NS can say. Method: the examples that are there in both languages; a file beyond NS.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readYamlExperiment } from "../../../src/boss/read-yaml.ts";
import { parseNsFile, tableRows } from "../../../src/experiment/index.ts";

const examples = join(import.meta.dirname, "../../../examples");

function readYaml(text: string) {
  const { experiment, diagnostics } = readYamlExperiment(text, { file: "a.yaml", defaultEid: "e" });
  if (experiment === undefined) throw new Error(JSON.stringify(diagnostics));
  return experiment;
}

describe("tableRows()", () => {
  it.each(["quickstart", "nodea-nodeb"])("are those of the NS file: %s", (name) => {
    const experiment = readYaml(readFileSync(join(examples, `${name}.yaml`), "utf8"));
    const { pid, eid } = experiment;
    const source = readFileSync(join(examples, `${name}.ns`), "utf8");
    // Times are rows as they are written: the model has the number only.
    const plain = source.replaceAll(/ at (\d+)\.0 /g, " at $1 ");
    const { rows: expected } = parseNsFile(plain, { file: "a.ns", pid, eid });
    const { rows, lost } = tableRows(experiment);
    expect(lost).toEqual([]);
    for (const table of ["virt_nodes", "virt_programs", "virt_lans", "virt_agents", "eventlist"]) {
      expect({ [table]: rows[table] }).toEqual({ [table]: expected?.[table] });
    }
  });

  it("leave out what NS cannot say, and say so", () => {
    const experiment = readYaml(`
nodes: { a: {}, b: {} }
barriers: { meet: { members: [a, b] } }
programs:
  p: { node: a, command: date, environment: { A: b } }
  q: { node: b, command: "true", start: { after: p } }
`);
    const { rows, lost } = tableRows(experiment);
    expect(rows["virt_nodes"]?.map(({ vname }) => vname)).toEqual(["a", "b"]);
    expect(rows["virt_programs"]?.map(({ vname }) => vname)).toEqual(["p", "q"]);
    expect(lost.map(({ message }) => message).join()).toMatch(
      /meet is a barrier.*environment of p/,
    );
  });
});
