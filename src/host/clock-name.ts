// SPDX-License-Identifier: MIT
// Which monotonic clock this is: that of one machine between two starts. Instants of clocks of one
// name can be compared, also between processes.
import { readFileSync } from "node:fs";
import { newRunId } from "./ids.ts";

/** @returns a name that no other clock has; of a system that does not say, this process's own. */
export function readClockName(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return `process-${newRunId()}`;
  }
}
