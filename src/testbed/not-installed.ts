// SPDX-License-Identifier: MIT
// What an experiment wants on its nodes and a run does not put there: packages. Nodes of a run
// share the programs of this machine, so that nothing may be installed. (What is not unpacked is
// said by the nodes, which know where they have directories of their own.) Pure.
import type { Experiment } from "../experiment/model.ts";
import { joinNames } from "./record/words.ts";

/** A sentence for what somebody will miss. */
export function describeNotInstalled({ nodes }: Experiment): readonly string[] {
  const packages = nodes.filter((node) => node.packages !== undefined).map(({ name }) => name);
  return packages.length === 0 ? [] : [`nothing is installed on ${joinNames(packages)} (packages)`];
}
