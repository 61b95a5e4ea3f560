// SPDX-License-Identifier: MIT
// Which processes of this machine carry the mark of a run in their environment.
import { readdirSync, readFileSync } from "node:fs";

/**
 * The marked processes this user may look at. A process that cleared its environment is not among
 * them, nor one that runs as somebody else.
 * @param node only those of this node.
 */
export function markedProcesses(runId: string, node?: string): readonly number[] {
  const marks = [`MUSTER_RUN=${runId}`, ...(node === undefined ? [] : [`MUSTER_NODE=${node}`])];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && environmentHolds(name, marks))
    .map(Number);
}

function environmentHolds(pid: string, marks: readonly string[]): boolean {
  try {
    const variables = readFileSync(`/proc/${pid}/environ`, "latin1").split("\0");
    return marks.every((mark) => variables.includes(mark));
  } catch {
    return false; // It ended meanwhile, or it is not ours to look at.
  }
}
