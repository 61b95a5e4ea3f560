// SPDX-License-Identifier: MIT
// Goal: a program starts when all that it waits for has happened, once, and never when something it
// waits for has failed. Method: files as people write them, and what ends given one by one; random
// graphs of waiting, run to their ends in any order.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readYamlExperiment } from "../../../src/boss/read-yaml.ts";
import type { Experiment, Program } from "../../../src/experiment/model.ts";
import { neededOf } from "../../../src/testbed/declared-barriers.ts";
import { startedOnce } from "../../../src/testbed/run-conditions.ts";
import {
  StartConditions,
  startBarrierOf,
  withStarts,
} from "../../../src/testbed/start-conditions.ts";

function read(text: string): Experiment {
  const { experiment, diagnostics } = readYamlExperiment(text, { file: "a.yaml", defaultEid: "e" });
  if (experiment === undefined) throw new Error(JSON.stringify(diagnostics));
  return experiment;
}

const waiting = `
nodes: [a]
barriers: { ready: { members: [a] } }
programs:
  setup: { node: a, command: x, start: 2s }
  work: { node: a, command: x, start: { after: setup, at: 3s } }
  measure: { node: a, command: x, start: { when: barrier ready timeout } }
  both: { node: a, command: x, start: { after: [setup, work], when: barrier ready crossed } }
`;

describe("withStarts()", () => {
  it("plans an event for each program that waits, behind all others", () => {
    const { events } = withStarts(read(waiting));
    const planned = events.map(({ index, object, atUs, on }) => [
      ...[index, object, atUs],
      on && `${on.barrier} ${on.outcome}`,
    ]);
    expect(planned).toEqual([
      [0, "setup", 2_000_000, undefined],
      [1, "work", 3_000_000, `${startBarrierOf("work")} crossed`],
      [2, "measure", 0, "ready timeout"],
      [3, "both", 0, `${startBarrierOf("both")} crossed`],
    ]);
  });

  it("leaves an experiment alone in which nothing waits", () => {
    const experiment = read("nodes: [a]\nprograms: { p: { node: a, command: x } }\n");
    expect(withStarts(experiment)).toBe(experiment);
  });
});

describe("startedOnce()", () => {
  it("names the programs that can come no more when they have ended", () => {
    const text = `
nodes: [a]
programs:
  plain: { node: a, command: x }
  after: { node: a, command: x, start: { after: plain } }
  again: { node: a, command: x }
  looped: { node: a, command: x }
  grouped: { node: a, command: x }
groups: { all: [grouped] }
events:
  - { at: 5s, target: again, do: start }
  - { at: 5s, target: all, do: run }
sequences: { s: [{ target: looped, do: run }] }
`;
    expect([...startedOnce(read(text))]).toEqual(["plain", "after"]);
  });
});

describe("StartConditions", () => {
  const conditions = () => new StartConditions(read(waiting).programs);

  it("names a program once, when the last of what it waits for has happened", () => {
    const starts = conditions();
    expect(starts.passed("setup")).toEqual(["work"]);
    expect(starts.passed("setup")).toEqual([]);
    expect(starts.barrierEnded({ barrier: "ready", outcome: "failed" })).toEqual([]);
    expect(starts.barrierEnded({ barrier: "ready", outcome: "crossed" })).toEqual([]);
    expect(starts.passed("work")).toEqual(["both"]);
    expect(starts.passed("work")).toEqual([]);
  });

  it("names all that wait for one that failed, through others, and starts none of them", () => {
    const starts = conditions();
    expect(starts.failed("setup")).toEqual(["work", "both"]);
    expect(starts.failed("setup")).toEqual([]);
    expect(starts.passed("setup")).toEqual([]);
  });

  it("does not care for what fails when it has passed before", () => {
    const starts = conditions();
    starts.passed("setup");
    expect(starts.failed("setup")).toEqual([]);
  });
});

/** Programs 0..n-1, each waiting for some of those before it. */
const graphs = fc
  .integer({ min: 1, max: 12 })
  .chain((count) =>
    fc.tuple(...Array.from({ length: count }, (_, one) => fc.subarray([...Array(one).keys()]))),
  );

const at = { file: "", line: 1, column: 1 };
const named = (index: number): string => `p${index}`;

function programOf(after: readonly number[], index: number): Program {
  const startWhen = {
    ...{ after: after.map((one) => ({ program: named(one), at })), delayUs: 0, at },
  };
  return {
    ...{ name: named(index), node: "a", command: "x", isStartCommand: false, directory: "" },
    ...{ timeoutSeconds: 0, expectedExitCode: 0, at },
    ...(after.length === 0 ? {} : { startWhen }),
  };
}

it("starts every program after all it waits for, or says that it never does", () => {
  fc.assert(
    fc.property(graphs, fc.nat(), fc.array(fc.boolean()), (graph, choice, fails) => {
      const starts = new StartConditions(graph.map(programOf));
      const running = graph.flatMap((after, index) => (after.length === 0 ? [named(index)] : []));
      const started = new Set(running);
      const passed = new Set<string>();
      const lost = new Set<string>();
      for (let turn = 0; running.length > 0; turn += 1) {
        const [name = ""] = running.splice((choice + turn * 7) % running.length, 1);
        if (fails[turn] === true) {
          for (const other of starts.failed(name)) lost.add(other);
          continue;
        }
        passed.add(name);
        for (const next of starts.passed(name)) {
          expect(started.has(next)).toBe(false);
          for (const one of graph[Number(next.slice(1))] ?? []) {
            expect(passed.has(named(one))).toBe(true);
          }
          started.add(next);
          running.push(next);
        }
      }
      for (const name of graph.keys()) {
        expect(started.has(named(name)) !== lost.has(named(name))).toBe(true);
      }
    }),
  );
});

it("takes a share of the members for so many, as decimals mean it", () => {
  expect(neededOf(0.07, 100)).toBe(7);
  expect(neededOf(0.5, 3)).toBe(2);
  expect(neededOf(0.01, 3)).toBe(1);
  expect(neededOf(1, 3)).toBe(3);
});
