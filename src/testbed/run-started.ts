// SPDX-License-Identifier: MIT
// How a run says that it has begun: what it is of, and what this machine cannot give it. Pure.
import type { Experiment } from "../experiment/model.ts";
import { countTimedEvents } from "./agenda-plan.ts";
import type { NodeBackend } from "./nodes/index.ts";
import { describeNotInstalled } from "./not-installed.ts";
import { joinNames } from "./record/words.ts";
import type { RunStarted } from "./run-event.ts";
import type { RunOptions } from "./run-options.ts";

/** @param backend undefined when there are no nodes, because they could not be set up. */
export function describeStart(
  { experiment, clock, runId, seed, out, file, command, interrupt }: RunOptions,
  backend: NodeBackend | undefined,
  zeroMonotonicUs: number,
): RunStarted {
  return {
    type: "run-started",
    ...{ runId, seed, out, file },
    ...(command === undefined ? {} : { command }),
    experiment: `${experiment.pid}/${experiment.eid}`,
    startedWallMs: clock.wallMs(),
    zeroMonotonicUs,
    syncServer: experiment.syncServer ?? null,
    backend: {
      nodes: kindOf(backend),
      links: backend?.nodeLinks?.links ?? "none",
      shell: commandShell(experiment, backend),
    },
    nodes: experiment.nodes.map(({ name }) => {
      const node = backend?.nodes.get(name);
      const at = node?.elsewhere === undefined ? {} : { host: node.elsewhere.host };
      return { name, addresses: node?.addresses ?? [], ...at };
    }),
    programs: experiment.programs.map(({ name, node }) => ({ name, node })),
    eventsPlanned: countTimedEvents(experiment),
    lost: [
      ...(interrupt.aborted ? [] : lostWith(experiment, backend)),
      ...describeNotInstalled(experiment),
    ],
  };
}

/** Of a run that was interrupted until here, these are reasons that the interrupt has made. */
function lostWith(experiment: Experiment, backend: NodeBackend | undefined): string[] {
  if (backend === undefined) return [];
  return [...backend.lost, ...describeUnshaped(experiment, backend.nodeLinks?.links ?? "none")];
}

function kindOf(backend: NodeBackend | undefined): RunStarted["backend"]["nodes"] {
  if (backend?.servers !== undefined) return "remote";
  return backend?.doors === undefined ? "process" : "netns";
}

/** What reads commands: of the machine's, unless every program names another one. */
function commandShell({ programs }: Experiment, backend: NodeBackend | undefined): string {
  const isForSh = programs.length > 0 && programs.every(({ shell }) => shell === "sh");
  return isForSh ? "sh -c" : (backend?.shell ?? "");
}

function describeUnshaped({ links }: Experiment, shapedBy: string): string[] {
  if (links.length === 0 || shapedBy !== "none") return [];
  const names = joinNames(links.map(({ name }) => name));
  const which = links.length === 1 ? `link ${names} is` : `links ${names} are`;
  return [`${which} not shaped: no delay, bandwidth limit or loss is applied`];
}
