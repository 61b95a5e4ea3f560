// SPDX-License-Identifier: MIT
// What the kernel counted: connections and datagrams that it threw away, processor time.
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Processor time of all threads of a process so far, microseconds. Reading it costs that process
 * nothing; the kernel counts in nanoseconds.
 */
export function processCpuUs(pid: number): number {
  let sumNs = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const [runNs] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ");
    sumNs += Number(runNs);
  }
  return sumNs / 1000;
}

/**
 * Processor time once the process uses none any more; after a quarter of a second also of one that
 * always does a little.
 */
export async function quietCpuUs(pid: number): Promise<number> {
  let last = processCpuUs(pid);
  for (let [still, tries] = [0, 0]; still < 4 && tries < 125; tries += 1) {
    await sleep(2);
    const now = processCpuUs(pid);
    still = now === last ? still + 1 : 0;
    last = now;
  }
  return last;
}

/** Connections dropped since boot because an accept queue was full, on the whole machine. */
export function listenOverflows(): number {
  const lines = readFileSync("/proc/net/netstat", "utf8").split("\n");
  const [names = "", values = ""] = lines.filter((line) => line.startsWith("TcpExt:"));
  const index = names.split(" ").indexOf("ListenOverflows");
  return Number(values.split(" ")[index]);
}

/** Datagrams dropped at the UDP socket bound to 127.0.0.1 and this port. */
export function udpDrops(port: number): number {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  for (const line of readFileSync("/proc/net/udp", "utf8").split("\n")) {
    const cells = line.trim().split(/\s+/);
    if (cells[1] === local) return Number(cells.at(-1));
  }
  return 0;
}
