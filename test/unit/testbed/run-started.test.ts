// SPDX-License-Identifier: MIT
// Goal: what a run says at its start of links that are not shaped is said of links that are there.
// Method: the description alone, with nodes, and of a run whose nodes could not be set up.
import { expect, it } from "vitest";
import { systemClock } from "../../../src/host/clock.ts";
import { describeStart } from "../../../src/testbed/run-started.ts";
import { makeExperiment } from "../record/synthetic-run.ts";

type StartOptions = Parameters<typeof describeStart>[0];

it("says of links that they are not shaped when there are nodes, and nothing when there are none", () => {
  const made = makeExperiment();
  const links = [{ name: "l" }] as unknown as typeof made.links;
  const rest = { clock: systemClock, runId: "r", seed: 1, out: "o", file: "f" };
  const interrupt = new AbortController().signal;
  const options = { ...rest, interrupt, experiment: { ...made, links } } as unknown as StartOptions;
  const backend = {
    nodes: new Map(),
    lost: [],
    doors: undefined,
    shell: "sh",
  } as unknown as Parameters<typeof describeStart>[1];
  const about = (text: string): boolean => text.includes("link l is not shaped");
  expect(describeStart(options, backend, 0).lost.filter(about)).toHaveLength(1);
  expect(describeStart(options, undefined, 0).lost).toEqual([]);
  // The programs that would have shaped them were ended by the same Ctrl-C.
  const broken = {
    ...backend,
    lost: ["nodes share the network: Command failed"],
  } as typeof backend;
  const ended = { ...options, interrupt: AbortSignal.abort() };
  expect(describeStart(ended, broken, 0).lost).toEqual([]);
});
