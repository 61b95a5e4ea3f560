// SPDX-License-Identifier: MIT
// Where a run says, in its directory, at which address its bus answers commands outside of it.
import { join } from "node:path";
import { readRegularFile } from "./nodes/regular-file.ts";
import { eventServerFile } from "./run-events.ts";

/** Longest name of a host, a colon, a port, and blanks. */
const fileBytesMax = 300;

/**
 * Its programs can put anything in the place of the file; a daemon that asks must not wait for it.
 * @param directory of the run
 * @returns HOST:PORT, or undefined for a run that has told none.
 */
export function readEventServer(directory: string): string | undefined {
  return readRegularFile(join(directory, "proj", eventServerFile), fileBytesMax)?.trim();
}
