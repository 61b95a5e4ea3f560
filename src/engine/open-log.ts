// SPDX-License-Identifier: MIT
// Opens the log a user named, `memory` or `sqlite:FILE`, and the messages of topics beside it.
import { resolve } from "node:path";
import type { Log } from "./log.ts";
import { LogError } from "./log.ts";
import { MemoryLog } from "./memory-log.ts";
import { MemoryPayloads, type Payloads } from "./payloads.ts";

/** What `--log` takes, for help texts and errors. */
export const logNames = "memory or sqlite:FILE";

/**
 * @param nowUs the monotonic clock that stamps entries, microseconds.
 * @throws LogError (definite) when the name is unknown or the file cannot be used.
 */
export async function openLog(name: string, nowUs: () => number): Promise<Log> {
  if (name === "memory") return new MemoryLog({ nowUs, retain: false });
  const file = name.startsWith("sqlite:") ? name.slice("sqlite:".length) : "";
  if (file === "") {
    throw new LogError(`there is no log '${name}'; give ${logNames}`, { definite: true });
  }
  const { SqliteLog } = await import("./sqlite-log.ts");
  return SqliteLog.open({ file: resolve(file), nowUs });
}

/**
 * Opens what holds the messages of topics, as durable as the log of that name: in memory, or in
 * `FILE.topics`.
 * @throws LogError (definite), with what to do.
 */
export async function openPayloads(name: string): Promise<Payloads> {
  if (!name.startsWith("sqlite:")) return new MemoryPayloads();
  const { SqlitePayloads } = await import("./sqlite-payloads.ts");
  return SqlitePayloads.open(`${resolve(name.slice("sqlite:".length))}.topics`);
}
