// SPDX-License-Identifier: MIT
// `loghole clean`: empties the directories of logs on nodes, and those of their copies. A program
// that still runs goes on writing to a file that has no name any more.
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { errorText } from "../../core/text.ts";
import { copiedLogs, type ExperimentLogs, originalLogs } from "./experiment-logs.ts";
import { validateLogs } from "./validate-logs.ts";

export interface CleanOptions {
  readonly logs: ExperimentLogs;
  readonly nodes: readonly string[];
  /** Also what has no copy, or another one. */
  readonly force: boolean;
  /** The copies stay. */
  readonly nodesOnly: boolean;
}

export interface CleanReport {
  readonly removed: number;
  /** Sentences; something is left where there are any. */
  readonly problems: readonly string[];
}

/** Never rejects. Without `force`, removes nothing of which there is no equal copy. */
export async function cleanLogs(options: CleanOptions): Promise<CleanReport> {
  const { logs, nodes, force, nodesOnly } = options;
  const problems: string[] = [];
  if (!force) {
    if (!nodesOnly) problems.push("the copies would be lost; add --force, or -n to keep them");
    problems.push(...(await validateLogs(logs, nodes)).problems);
    if (problems.length > 0) return { removed: 0, problems };
  }
  let removed = 0;
  for (const node of nodes) {
    removed += await empty(await originalLogs(logs, node), problems);
    if (!nodesOnly) removed += await empty(await copiedLogs(logs, node), problems);
  }
  return { removed, problems };
}

async function empty(folder: string | undefined, problems: string[]): Promise<number> {
  if (folder === undefined) return 0;
  let removed = 0;
  for (const name of await readdir(folder).catch(() => [])) {
    try {
      await rm(join(folder, name), { recursive: true });
      removed += 1;
    } catch (error) {
      problems.push(`${join(folder, name)} is not removed: ${errorText(error)}`);
    }
  }
  return removed;
}
