// SPDX-License-Identifier: MIT
// Where a run says, in its directory, at which address its bus answers commands outside of it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { eventServerFile } from "./run-events.ts";

/**
 * @param directory of the run
 * @returns HOST:PORT, or undefined for a run that has told none.
 */
export function readEventServer(directory: string): string | undefined {
  try {
    return readFileSync(join(directory, "proj", eventServerFile), "utf8").trim();
  } catch {
    return undefined;
  }
}
