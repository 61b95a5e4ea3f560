// SPDX-License-Identifier: MIT
// Which process a process id means. The kernel gives ids out again; together with the moment a
// process was started, in ticks since the machine was, an id means one process for ever.
import { readFileSync } from "node:fs";

export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat. A text: it is only ever compared. */
  readonly startTicks: string;
}

/** @returns undefined when there is no such process, or it has ended and waits to be collected. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  try {
    return parseStat(pid, readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return undefined;
  }
}

/** Whether that very process still runs. */
export function isRunning(process: ProcessIdentity): boolean {
  return identifyProcess(process.pid)?.startTicks === process.startTicks;
}

/** The processes that `pid` has started and that still run. */
export function childrenOf(pid: number): ProcessIdentity[] {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  } catch {
    return [];
  }
  const pids = text.split(" ").filter((word) => word !== "");
  return pids.map((word) => identifyProcess(Number(word))).filter((one) => one !== undefined);
}

/** The name of the program comes second, in parentheses, and may have any characters in it. */
function parseStat(pid: number, stat: string): ProcessIdentity | undefined {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state] = fields;
  const startTicks = fields[19];
  if (startTicks === undefined || state === "Z" || state === "X") return undefined;
  return { pid, startTicks };
}
