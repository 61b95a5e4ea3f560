// SPDX-License-Identifier: MIT
// The links of a run: which back end shapes them, and what of it the run must say. Links are never
// left unshaped because nothing else works here; `none` is for who asks for it.
import { errorText } from "../core/text.ts";
import type { Experiment } from "../experiment/model.ts";
import type { Clock } from "../host/clock.ts";
import { capacities, createShapedLinks } from "../network/backends.ts";
import {
  type BackendKind,
  type BackendProbe,
  chooseBackend,
  probeBackends,
} from "../network/choose-backend.ts";
import { type NamespaceCommands, NetworkError } from "../network/link-backend.ts";
import { type LinkReport, type LinksReport, reportLink } from "../network/link-report.ts";
import { describeUnknownLink, LinkTable } from "../network/link-table.ts";
import { shapeLink } from "../network/model.ts";
import { createUnshapedLinks } from "../network/unshaped-links.ts";
import { type LinkShaping, type NodeBackend, NodesError } from "./nodes/index.ts";

export interface RunLinksWish {
  readonly experiment: Experiment;
  /** Left out: what works best here. */
  readonly asked: BackendKind | undefined;
  /** Of the delay node; left out: as many as the links need. */
  readonly threads?: number | undefined;
  readonly seed: number;
  readonly clock: Clock;
  readonly interrupt: AbortSignal;
}

export interface RunLinks {
  /** Makes it, once there are namespaces. */
  readonly shapeLinks: (commands: NamespaceCommands) => LinkShaping;
  /** Which back end, and why, for the user. */
  readonly text: string;
}

/**
 * @returns a sentence when links cannot be shaped here as asked.
 * @throws NodesError when one asks for more than who shapes can do: for that one alone, all would
 *   be left unshaped; and when it cannot be found out this time who can
 */
export async function chooseRunLinks(wish: RunLinksWish): Promise<RunLinks | string> {
  const { experiment, asked, threads, seed, clock, interrupt } = wish;
  const choice = chooseBackend(asked === "none" ? [] : await probes(interrupt), asked);
  if ("problem" in choice) return choice.problem;
  const { kind, why } = choice;
  if (kind === "none") return { shapeLinks: unshaped, text: why };
  const plans = new Map(experiment.links.map((link) => [link.name, shapeLink(link)]));
  const [problem] = new LinkTable(capacities[kind]).check([...plans.values()], []);
  if (problem !== undefined) {
    throw new NodesError(`${problem}; or have links of this run left alone: --links none`);
  }
  return {
    text: `links are shaped by ${kind} (${why})`,
    shapeLinks(commands) {
      const shaped = createShapedLinks(kind, { commands, clock, seed, threads });
      return { backend: shaped, plans, shaped };
    },
  };
}

async function probes(interrupt: AbortSignal): Promise<readonly BackendProbe[]> {
  try {
    return await probeBackends(undefined, interrupt);
  } catch (error) {
    throw new NodesError(errorText(error), { cause: error });
  }
}

/** @throws NetworkError with a sentence when there is nothing to tell */
export async function reportLinks(
  nodeLinks: NodeBackend["nodeLinks"],
  { experiment, hasLinks }: { readonly experiment: string; readonly hasLinks: boolean },
  name: string | null,
): Promise<LinksReport> {
  if (nodeLinks === undefined) {
    if (!hasLinks) throw new NetworkError("its file has no links");
    throw new NetworkError("its nodes have no network of their own: no link of it is there");
  }
  const { links: backend, shaped } = nodeLinks;
  if (shaped === undefined) {
    throw new NetworkError("its links are not shaped (--links none): nobody counts their packets");
  }
  const { table } = shaped;
  const names = name === null ? table.names : [name];
  const links: LinkReport[] = [];
  for (const one of names) {
    if (table.link(one) === undefined) {
      throw new NetworkError(describeUnknownLink(one, table.names));
    }
    const report = reportLink(table, one, await shaped.counts(one));
    if (report !== undefined) links.push(report);
  }
  return { experiment, backend, shaper: shaped.health ?? null, links };
}

function unshaped(commands: NamespaceCommands): LinkShaping {
  return { backend: createUnshapedLinks(commands), plans: new Map() };
}
