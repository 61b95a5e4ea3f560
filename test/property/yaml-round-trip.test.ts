// SPDX-License-Identifier: MIT
// Goal: what is printed is what is read, in both languages and from one to the other.
// Method: arbitrary experiments, printed, read back and compared in everything but places.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readYamlExperiment } from "../../src/boss/read-yaml.ts";
import {
  type Experiment,
  formatDiagnostic,
  parseNsFile,
  printNs,
  printYaml,
} from "../../src/experiment/index.ts";
import { experiments, withoutPlaces } from "./yaml-model.ts";

function readYaml(text: string): Experiment | undefined {
  const { experiment, diagnostics } = readYamlExperiment(text, { file: "a.yaml", defaultEid: "e" });
  if (experiment === undefined) {
    throw new Error(diagnostics.map((one) => formatDiagnostic(one, text)).join("\n"));
  }
  return experiment;
}

describe("printYaml() and parseYamlExperiment()", () => {
  it("give back any experiment", () => {
    fc.assert(
      fc.property(experiments(false), (experiment) => {
        const text = printYaml(experiment);
        expect(withoutPlaces(readYaml(text))).toEqual(withoutPlaces(experiment));
      }),
      { numRuns: 300 },
    );
  });

  it("print the same text again", () => {
    fc.assert(
      fc.property(experiments(false), (experiment) => {
        const text = printYaml(experiment);
        expect(printYaml(readYaml(text) as Experiment)).toBe(text);
      }),
      { numRuns: 100 },
    );
  });
});

describe("printNs()", () => {
  it("prints what can be read, or refuses it with a place", () => {
    const count = { printed: 0, refused: 0 };
    fc.assert(
      // Of any experiment hardly one can be said, so that half are drawn for it.
      fc.property(fc.oneof(experiments(true), experiments(false)), (experiment) => {
        const { text, diagnostics } = printNs(experiment);
        expect(diagnostics.length === 0).toBe(text !== undefined);
        for (const { code } of diagnostics) expect(code).toBe("NS_CANNOT_SAY");
        if (text === undefined) {
          count.refused += 1;
          return;
        }
        count.printed += 1;
        const { pid, eid } = experiment;
        expect(parseNsFile(text, { file: "a.ns", pid, eid }).experiment).toBeDefined();
      }),
      { numRuns: 200 },
    );
    // Some 65 and 135 of 200.
    expect(count.printed).toBeGreaterThan(0);
    expect(count.refused).toBeGreaterThan(0);
  });

  it("keeps everything that NS can say, through YAML and back", () => {
    let printed = 0;
    fc.assert(
      fc.property(experiments(true), (experiment) => {
        const { text } = printNs(experiment);
        if (text === undefined) return;
        printed += 1;
        const { pid, eid } = experiment;
        const fromNs = parseNsFile(text, { file: "a.ns", pid, eid }).experiment as Experiment;
        const fromYaml = readYaml(printYaml(fromNs)) as Experiment;
        expect(numberless(fromYaml)).toEqual(numberless(experiment));
        expect(printNs(fromYaml).text).toBe(text);
      }),
      { numRuns: 300 },
    );
    // Most of what is drawn can be said: the property is not empty.
    expect(printed).toBeGreaterThan(150);
  });
});

/** NS numbers events in the order of its text: the order within a list is what counts. */
function numberless(experiment: Experiment): unknown {
  return JSON.parse(
    JSON.stringify(withoutPlaces(experiment), (key, value) => (key === "index" ? 0 : value)),
  );
}
