// SPDX-License-Identifier: MIT
// Goal: experiments in TypeScript are the ones that YAML gives, and a wrong name does not compile.
// Method: one experiment in both forms; each wrong name is marked as an error that the compiler
// must see (an unneeded mark is an error itself), and is refused when it is run all the same.
import { describe, expect, it } from "vitest";
import { readYamlExperiment } from "../../../src/boss/read-yaml.ts";
import { defineExperiment, ExperimentError } from "../../../src/experiment/typescript/define.ts";
import { withoutPlaces } from "../../property/yaml-model.ts";

const experiment = defineExperiment({
  name: "both",
  options: { SIZE: 5 },
  nodes: { server: { os: "FBSD" }, client: { repeat: 2 }, "edge{0..1}": {} },
  links: {
    up: { between: ["server", "edge0"], bandwidth: "100Mbps", delay: "10ms", loss: "1%" },
    lan: { lan: ["server", "client", { node: "edge1", address: "10.9.9.9" }] },
  },
  programs: {
    setup: { node: "server", command: "true" },
    work: {
      node: "client",
      command: "echo",
      start: { after: "setup", when: "barrier go crossed" },
    },
    late: { node: "client1", command: "date", start: "manual", timeout: "1m30s" },
  },
  barriers: { go: { members: ["client", "setup"], deadline: "30s" } },
  groups: { clients: ["client"] },
  events: [
    { at: "5s", target: "up", do: "down" },
    { at: "6s", target: "late", do: "start" },
    { when: "go failed", target: "experiment", do: "terminate" },
    { at: "7s", target: "up-server", type: "LINK", do: "MODIFY", args: "LIMIT=5" },
  ],
  sequences: { again: [{ target: "late", do: "run" }] },
  syncServer: "client0",
});

describe("defineExperiment()", () => {
  it("gives the experiment of the same YAML file", () => {
    const text = `
name: both
options: { SIZE: 5 }
nodes: { server: { os: FBSD }, client: { repeat: 2 }, "edge{0..1}": {} }
links:
  up: { between: [server, edge0], bandwidth: 100Mbps, delay: 10ms, loss: 1% }
  lan: { lan: [server, client, { node: edge1, address: 10.9.9.9 }] }
programs:
  setup: { node: server, command: "true" }
  work: { node: client, command: echo, start: { after: setup, when: barrier go crossed } }
  late: { node: client1, command: date, start: manual, timeout: 1m30s }
barriers: { go: { members: [client, setup], deadline: 30s } }
groups: { clients: [client] }
events:
  - { at: 5s, target: up, do: down }
  - { at: 6s, target: late, do: start }
  - { when: go failed, target: experiment, do: terminate }
  - { at: 7s, target: up-server, type: LINK, do: MODIFY, args: LIMIT=5 }
sequences: { again: [{ target: late, do: run }] }
syncServer: client0
`;
    const read = readYamlExperiment(text, { file: "a.yaml", defaultEid: "e" });
    expect(read.diagnostics).toEqual([]);
    expect(withoutPlaces(experiment)).toEqual(withoutPlaces(read.experiment));
  });

  const nodes = { server: {}, client: { repeat: 2 } } as const;

  it("refuses a misspelled node, in the editor and when it runs", () => {
    const wrong = (): unknown =>
      defineExperiment({
        name: "wrong",
        nodes,
        // @ts-expect-error: there is no node "sever"
        programs: { probe: { node: "sever", command: "true" } },
      });
    expect(wrong).toThrow(ExperimentError);
    expect(wrong).toThrow(
      'programs.probe.node: error[YAML_UNKNOWN_NAME]: node: there is no node "sever" (Did you mean "server"?)',
    );
  });

  it("refuses misspelled names of links, barriers, programs and targets", () => {
    expect(() =>
      defineExperiment({
        name: "wrong",
        nodes,
        // @ts-expect-error: there is no node "cliennt0"
        links: { l: { between: ["server", "cliennt0"] } },
      }),
    ).toThrow(ExperimentError);
    expect(() =>
      defineExperiment({
        name: "wrong",
        nodes,
        programs: {
          one: { node: "server", command: "true" },
          // @ts-expect-error: there is no program "onne"
          two: { node: "server", command: "true", start: { after: "onne" } },
        },
      }),
    ).toThrow(ExperimentError);
    expect(() =>
      defineExperiment({
        name: "wrong",
        nodes,
        barriers: { go: { members: ["client"] } },
        // @ts-expect-error: there is no barrier "goo"
        events: [{ when: "barrier goo crossed", target: "server", do: "reboot" }],
      }),
    ).toThrow(ExperimentError);
    expect(() =>
      defineExperiment({
        name: "wrong",
        nodes,
        // @ts-expect-error: there is no object "servr"
        events: [{ at: "1s", target: "servr", do: "reboot" }],
      }),
    ).toThrow(ExperimentError);
    // @ts-expect-error: there is no node "clients"
    expect(() => defineExperiment({ name: "wrong", nodes, syncServer: "clients" })).toThrow(
      ExperimentError,
    );
  });

  it("refuses a number without a unit, and a field that does not exist", () => {
    expect(() =>
      defineExperiment({
        name: "wrong",
        nodes,
        // @ts-expect-error: a delay has a unit
        links: { l: { between: ["server", "client0"], delay: "10" } },
      }),
    ).toThrow("has no unit");
    expect(() =>
      defineExperiment({
        name: "wrong",
        nodes,
        // @ts-expect-error: the field is called bandwidth
        links: { l: { between: ["server", "client0"], bandwith: "10Mbps" } },
      }),
    ).toThrow('Did you mean "bandwidth"?');
  });

  it("tells everything that is wrong at once, each with its path", () => {
    const broken: Record<string, unknown> = {
      name: "broken",
      nodes: { a: {} },
      programs: { p: { node: "b", command: 5 }, q: { command: "true" } },
    };
    try {
      defineExperiment(broken as never);
      expect.unreachable();
    } catch (error) {
      if (!(error instanceof ExperimentError)) throw error;
      const paths = error.diagnostics.map(({ at, code }) => `${at.file} ${code}`);
      expect(paths.toSorted()).toEqual([
        "programs.p.command YAML_KIND",
        "programs.p.node YAML_UNKNOWN_NAME",
        "programs.q.command YAML_MISSING",
      ]);
    }
  });
});
