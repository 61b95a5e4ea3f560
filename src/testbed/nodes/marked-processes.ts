// SPDX-License-Identifier: MIT
// Which processes of this machine carry the mark of a run in their environment.
import { readdirSync, readFileSync } from "node:fs";

/**
 * The marked processes this user may look at. A process that cleared its environment is not among
 * them, nor one that runs as somebody else.
 */
export function markedProcesses(runId: string): readonly number[] {
  const mark = Buffer.from(`MUSTER_RUN=${runId}`);
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && environmentHolds(name, mark))
    .map(Number);
}

function environmentHolds(pid: string, mark: Buffer): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`).includes(mark);
  } catch {
    return false; // It ended meanwhile, or it is not ours to look at.
  }
}
