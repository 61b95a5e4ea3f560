// SPDX-License-Identifier: MIT
// Goal: what is printed is what is read, in both languages and from one to the other.
// Method: arbitrary experiments, printed, read back and compared in everything but places.
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readYamlExperiment } from "../../src/boss/read-yaml.ts";
import {
  type EventSequence,
  type Experiment,
  type ExperimentNode,
  formatDiagnostic,
  type Link,
  type LinkMember,
  type LinkShape,
  type PlannedEvent,
  type Program,
  parseNsFile,
  printNs,
  printYaml,
  sayableInYaml,
  type TraceWish,
} from "../../src/experiment/index.ts";
import { experiments, wholeExperiments, withoutPlaces } from "./yaml-model.ts";

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

  it("say what they cannot keep, and keep all the rest", () => {
    const count = { whole: 0, refused: 0 };
    fc.assert(
      fc.property(wholeExperiments, (experiment) => {
        const { experiment: rest, lost } = sayableInYaml(experiment);
        expect(withoutPlaces(readYaml(printYaml(rest)))).toEqual(withoutPlaces(rest));
        const isWhole = isDeepStrictEqual(rest, experiment);
        expect(lost.length === 0).toBe(isWhole);
        count[isWhole ? "whole" : "refused"] += 1;
      }),
      { numRuns: 300 },
    );
    expect(Math.min(count.whole, count.refused)).toBeGreaterThan(0);
  });

  it("are tried with every field that the model has", () => {
    const seen = new Map<string, Set<string>>();
    const note = (kind: keyof typeof drawn, objects: readonly object[]): void => {
      const keys = seen.get(kind) ?? new Set();
      for (const object of objects) for (const key of Object.keys(object)) keys.add(key);
      seen.set(kind, keys);
    };
    for (const experiment of fc.sample(wholeExperiments, 300)) {
      const { nodes, links, programs, events, sequences } = experiment;
      const members = links.flatMap((link) => link.members);
      note("experiment", [experiment]);
      note("node", nodes);
      note("link", links);
      note("member", members);
      note(
        "shape",
        members.flatMap(({ toLink, fromLink }) => [toLink, fromLink]),
      );
      note(
        "trace",
        members.flatMap(({ trace }) => trace ?? []),
      );
      note("program", programs);
      note("event", events);
      note("sequence", sequences);
    }
    for (const [kind, fields] of Object.entries(drawn)) {
      const wanted = Object.entries(fields).flatMap(([key, isDrawn]) => (isDrawn ? [key] : []));
      expect([...(seen.get(kind) ?? [])].sort(), kind).toEqual(wanted.sort());
    }
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

type Fields<T> = Readonly<Record<keyof T, boolean>>;
/** A field that is new in the model does not compile until it is here, and drawn. */
const drawn: {
  readonly experiment: Fields<Experiment>;
  readonly node: Fields<ExperimentNode>;
  readonly link: Fields<Link>;
  readonly member: Fields<LinkMember>;
  readonly shape: Fields<LinkShape>;
  readonly trace: Fields<TraceWish>;
  readonly program: Fields<Program>;
  readonly event: Fields<PlannedEvent>;
  readonly sequence: Fields<EventSequence>;
} = {
  experiment: {
    ...{ pid: true, eid: true, nodes: true, links: true, programs: true, events: true },
    ...{ sequences: true, timelines: true, groups: true, traffic: true, routing: true },
    ...{ routes: true, barriers: true, syncServer: true, linktestLevel: true, simulator: true },
    environment: true,
    // Its instances are programs that no other file has: test/unit/yaml/testground.test.ts.
    testground: false,
  },
  node: {
    ...{ name: true, osName: true, hardwareType: true, failureAction: true, archives: true },
    ...{ packages: true, machine: true, at: true },
  },
  link: { name: true, kind: true, netmask: true, cost: true, members: true, at: true },
  member: {
    ...{ node: true, port: true, address: true, toLink: true, fromLink: true, queue: true },
    trace: true,
  },
  shape: {
    ...{ bandwidthBps: true, delayUs: true, loss: true, jitterUs: true, duplicate: true },
    reorder: true,
  },
  trace: { kind: true, bytes: true, expression: true, inDatabase: true },
  program: {
    ...{ name: true, node: true, command: true, isStartCommand: true, directory: true },
    ...{ timeoutSeconds: true, expectedExitCode: true, shell: true, environment: true },
    ...{ startWhen: true, instance: false, at: true },
  },
  event: {
    ...{ index: true, atUs: true, object: true, type: true, event: true, args: true, on: true },
    at: true,
  },
  sequence: { name: true, steps: true, onError: true },
};

/** NS numbers events in the order of its text: the order within a list is what counts. */
function numberless(experiment: Experiment): unknown {
  return JSON.parse(
    JSON.stringify(withoutPlaces(experiment), (key, value) => (key === "index" ? 0 : value)),
  );
}
