// SPDX-License-Identifier: MIT
// Which process a number means: the kernel gives numbers out again.
import { readFileSync, readlinkSync } from "node:fs";

/** `<pid> <start time> <pid namespace>`: no two processes ever share it while the machine runs. */
export function describeProcess(pid: number | "self"): string | undefined {
  const stat = readStat(pid);
  if (stat === undefined) return undefined;
  // The name, in parentheses, may hold anything; 22 is the start time and 2 the first after it.
  const startTime = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  return `${Number.parseInt(stat, 10)} ${startTime} ${pidNamespace()}`;
}

/** Of this process. */
export function pidNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "unknown";
  }
}

function readStat(pid: number | "self"): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
}
