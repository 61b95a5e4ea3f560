// SPDX-License-Identifier: MIT
// Goal: the published JSON Schema and the validator accept and refuse the same documents.
// Method: documents with one thing right or wrong each, judged by both; the schema by a validator
// that shares no code with ours (Python's jsonschema).
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { experimentSchema } from "../../../src/experiment/index.ts";
import { documentOf } from "../../../src/experiment/typescript/from-value.ts";
import { checkShape } from "../../../src/experiment/yaml/check.ts";
import { experimentType } from "../../../src/experiment/yaml/fields.ts";
import { Findings } from "../../../src/experiment/yaml/findings.ts";

const file = join(import.meta.dirname, "../../../docs/reference/experiment.schema.json");
const validator = spawnSync("python3", ["-c", "import jsonschema"]);

/** Documents, and whether their shape is right. */
const samples: readonly (readonly [isRight: boolean, document: unknown])[] = [
  [true, {}],
  [false, []],
  [false, "nodes"],
  [true, { muster: 1, name: "a", project: "p_q", nodes: {} }],
  [false, { muster: 2 }],
  [true, { barriers: { b: { members: ["a"], whenDead: "shrink" } } }],
  [false, { barriers: { b: { members: ["a"], whenDead: "hope" } } }],
  [false, { nodez: {} }],
  [true, { nodes: { a: null, b: {}, "c{0..4}": { repeat: 3, os: "X" } } }],
  [true, { nodes: ["a", { name: "b{0..2}", hardware: "pc" }] }],
  [false, { nodes: [{ os: "X" }] }],
  [false, { nodes: { "a b": null } }],
  [false, { nodes: { a: { repeat: 0 } } }],
  [false, { nodes: { a: { repeat: 2.5 } } }],
  [false, { nodes: { a: { repeat: "2" } } }],
  [false, { nodes: { a: { onFailure: "panic" } } }],
  [false, { nodes: { a: { startCommand: "a\nb" } } }],
  [true, { nodes: { a: { routes: [{ to: "l-c", by: "b" }] } } }],
  [false, { nodes: { a: { routes: [{ to: "l-c" }] } } }],
  [true, { nodes: [{ name: "a", archives: [{ directory: "/opt", file: "/x.tgz" }] }] }],
  [false, { nodes: { a: { archives: [] } } }],
  [true, { nodes: { a: { packages: ["/x.rpm"], machine: "pc-7.site" } } }],
  [false, { nodes: { a: { packages: ["/x.rpm;/y.rpm"] } } }],
  [false, { nodes: { a: { packages: "/x.rpm" } } }],
  [false, { nodes: { a: { machine: "" } } }],
  [true, { links: { l: { between: ["a", "b"], bandwidth: "any", delay: "1h2m3s4ms5us" } } }],
  [false, { links: { l: { between: ["a"] } } }],
  [false, { links: { l: { between: ["a", "b", "c"] } } }],
  [false, { links: { l: { between: ["a", "b"], delay: 10 } } }],
  [false, { links: { l: { between: ["a", "b"], delay: "10" } } }],
  [false, { links: { l: { between: ["a", "b"], delay: "10 ms" } } }],
  [false, { links: { l: { between: ["a", "b"], bandwidth: "10MB" } } }],
  [false, { links: { l: { between: ["a", "b"], loss: "101%" } } }],
  [true, { links: { l: { between: ["a", "b"], loss: "100%" } } }],
  [true, { links: { l: { between: ["a", "b"], loss: 0.5, delay: 0, jitter: "0" } } }],
  [true, { links: { l: { between: ["a", "b"], loss: "0.01", delay: ".5s", reorder: 0 } } }],
  [true, { links: { l: { between: ["a", "b"], bandwidth: "10mb" } } }],
  [false, { links: { l: { between: ["a", "b"], loss: 1 } } }],
  [false, { links: { l: { between: ["a", "b"], loss: 1.5 } } }],
  [false, { links: { l: { between: ["a", "b"], loss: "1" } } }],
  [false, { links: { l: { between: ["a", "b"], bandwidth: 0 } } }],
  [true, { links: { l: { lan: ["a", { node: "b", address: "none", to: { loss: "0.5%" } }] } } }],
  [false, { links: { l: { lan: [{ address: "1.2.3.4" }] } } }],
  [false, { links: { l: { lan: [{ node: "b", address: "1.2.3" }] } } }],
  [true, { programs: { p: { node: "a", command: "x", start: "2s", expect: 255 } } }],
  [true, { programs: { p: { node: ["a", "b{0..1}"], command: "x", start: "manual" } } }],
  [true, { programs: { p: { node: "a", command: "x", start: { after: ["q"], when: "go" } } } }],
  [false, { programs: { p: { node: "a" } } }],
  [false, { programs: { p: { node: "a", command: "x", start: "later" } } }],
  [false, { programs: { p: { node: "a", command: "x", start: { when: "barrier go opened" } } } }],
  [false, { programs: { p: { node: "a", command: "x", expect: 256 } } }],
  [false, { programs: { p: { node: "a", command: true } } }],
  [true, { programs: { p: { node: "a", command: "x", environment: { A: 1, B: true } } } }],
  [false, { programs: { p: { node: "a", command: "x", environment: { A: [1] } } } }],
  [false, { programs: { p: { node: "a", command: "x", environment: { "1A": "x" } } } }],
  [false, { programs: { p: { node: "a", command: "x", shell: "zsh" } } }],
  [
    true,
    { barriers: { b: { members: ["a"], quorum: "80%", deadline: "30s", onFailure: "stop" } } },
  ],
  [false, { barriers: { b: { members: [] } } }],
  [false, { barriers: { b: { count: 0 } } }],
  [true, { events: [{ at: "swapout", target: "a", do: "stop" }] }],
  [false, { events: [{ at: "5s", do: "stop" }] }],
  [false, { events: { at: "5s" } }],
  [true, { sequences: { s: [{ target: "a", do: "run" }] } }],
  [false, { sequences: { s: [{ at: "5s", target: "a", do: "run" }] } }],
  [true, { timelines: { t: [{ at: "5s", target: "a", do: "run" }] } }],
  [true, { groups: { g: "a", h: ["b", "c"] }, options: { A: 1, "x y": "z" } }],
  [false, { syncServer: "a b" }],
];

function isAccepted(document: unknown): boolean {
  const findings = new Findings();
  checkShape(documentOf(document), experimentType, "an experiment", findings);
  return findings.errors === 0;
}

describe("checkShape()", () => {
  it.each(samples)("judges %j: %j", (isRight, document) => {
    expect(isAccepted(document)).toBe(isRight);
  });
});

describe("experimentSchema()", () => {
  it("is what docs/reference/experiment.schema.json holds", () => {
    // UPDATE_SCHEMA=1 npm run vitest -- run test/unit/yaml/schema.test.ts writes the file anew.
    if (process.env["UPDATE_SCHEMA"] !== undefined || !existsSync(file)) {
      writeFileSync(file, `${JSON.stringify(experimentSchema(), undefined, 2)}\n`);
    }
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual(
      JSON.parse(JSON.stringify(experimentSchema())),
    );
  });

  it.skipIf(validator.status !== 0)("judges all samples as the validator does", () => {
    const script = `
import json, sys, jsonschema
given = json.load(sys.stdin)
jsonschema.Draft202012Validator.check_schema(given["schema"])
check = jsonschema.Draft202012Validator(given["schema"])
print(json.dumps([check.is_valid(one) for one in given["documents"]]))
`;
    const input = JSON.stringify({
      schema: experimentSchema(),
      documents: samples.map(([, document]) => document),
    });
    const { stdout, stderr } = spawnSync("python3", ["-c", script], { input, encoding: "utf8" });
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toEqual(samples.map(([isRight]) => isRight));
  });
});
