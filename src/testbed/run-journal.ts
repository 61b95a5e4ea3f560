// SPDX-License-Identifier: MIT
// Where the agent of a run notes the programs that it starts, before it does (D7). A directory of
// the run's own: numbers of orders begin anew with each run. It is of use while the run goes.
import { rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { RunOptions } from "./run-options.ts";

export function runJournal({ out, runId }: Pick<RunOptions, "out" | "runId">): string {
  return join(out, ".starts", runId);
}

/** At the end of the run, when nobody asks again. */
export async function removeRunJournal(options: Pick<RunOptions, "out" | "runId">): Promise<void> {
  const directory = runJournal(options);
  await rm(directory, { recursive: true, force: true });
  // That of a run that was killed stays beside it.
  await rmdir(dirname(directory)).catch(() => undefined);
}
