// SPDX-License-Identifier: MIT
// The topology as a graph to draw: nodes, LANs as points of their own, lines with their labels.

import { joinShapes } from "../link-shape.ts";
import type { Experiment, Link } from "../model.ts";
import { formatBandwidth, formatDuration, formatPercentage } from "../quantities.ts";

export interface GraphPoint {
  readonly name: string;
  readonly kind: "node" | "lan";
  readonly isSyncServer: boolean;
  /** Shown under a LAN. */
  readonly label: string;
  /** Shown when pointed at. */
  readonly about: string;
}

export interface GraphLine {
  readonly from: number;
  readonly to: number;
  readonly name: string;
  readonly label: string;
}

export interface Topology {
  readonly title: string;
  readonly points: readonly GraphPoint[];
  readonly lines: readonly GraphLine[];
}

/** The graph of an experiment. */
export function topologyOf(experiment: Experiment): Topology {
  const points: GraphPoint[] = experiment.nodes.map(({ name, hardwareType, osName }) => {
    const programs = experiment.programs.filter((program) => program.node === name);
    const about = [`${name} (${hardwareType}${osName === "" ? "" : `, ${osName}`})`];
    about.push(...programs.slice(0, 10).map((program) => `${program.name}: ${program.command}`));
    return {
      name,
      kind: "node",
      isSyncServer: name === experiment.syncServer,
      label: "",
      about: about.join("\n"),
    };
  });
  const index = new Map(points.map(({ name }, at) => [name, at]));
  const lines: GraphLine[] = [];
  for (const link of experiment.links) {
    const label = describeLink(link);
    const ends = link.members.map(({ node }) => index.get(node)).filter((end) => end !== undefined);
    const [from, to] = ends;
    if (link.kind === "link" && from !== undefined && to !== undefined) {
      lines.push({ from, to, name: link.name, label });
      continue;
    }
    const about = `${link.name} ${label}`;
    const point = { name: link.name, kind: "lan", isSyncServer: false, label, about } as const;
    const lan = points.push(point) - 1;
    for (const end of ends) lines.push({ from: end, to: lan, name: link.name, label: "" });
  }
  return { title: `${experiment.pid}/${experiment.eid}`, points, lines };
}

/** What the link is, in few words; of asymmetric ones the first way. */
function describeLink({ members }: Link): string {
  const [first, second = first] = members;
  if (first === undefined || second === undefined) return "";
  const forth = joinShapes(first.toLink, second.fromLink);
  const parts: string[] = [];
  if (forth.bandwidthBps > 0) parts.push(formatBandwidth(forth.bandwidthBps));
  if (forth.delayUs > 0) parts.push(formatDuration(forth.delayUs));
  if (forth.loss > 0) parts.push(`loss ${formatPercentage(Number(forth.loss.toPrecision(3)))}`);
  const back = joinShapes(second.toLink, first.fromLink);
  const isSymmetric = back.bandwidthBps === forth.bandwidthBps && back.delayUs === forth.delayUs;
  return parts.join(" ") + (isSymmetric ? "" : " / ...");
}
