// SPDX-License-Identifier: MIT
// What an experiment wants on its nodes and a run does not put there: archives and packages. Nodes
// of a run share the machine's files, so that nothing may be installed or unpacked. Pure.
import type { Experiment } from "../experiment/model.ts";
import { joinNames } from "./record/words.ts";

/** One sentence for each kind of thing that somebody will miss. */
export function describeNotInstalled({ nodes }: Experiment): readonly string[] {
  const archives = nodes.filter((node) => node.archives !== undefined).map(({ name }) => name);
  const packages = nodes.filter((node) => node.packages !== undefined).map(({ name }) => name);
  return [
    ...(archives.length === 0 ? [] : [`nothing is unpacked on ${joinNames(archives)} (tarfiles)`]),
    ...(packages.length === 0 ? [] : [`nothing is installed on ${joinNames(packages)} (rpms)`]),
  ];
}
