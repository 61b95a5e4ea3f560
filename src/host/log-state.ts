// SPDX-License-Identifier: MIT
// What version a log is of, and which servers keep it from a newer one (D12), for whoever replaces
// them one by one; and whether it takes anything.
import { coreVersionMax } from "../core/version.ts";
import type { Shards } from "./shards.ts";

type Facts = Pick<Shards["facts"], "version" | "serversBefore">;

export interface LogState {
  /** Of several logs the least. */
  readonly version: number;
  /** The newest that this server can follow. */
  readonly versionMax: number;
  /** Names of living servers that cannot follow that one. */
  readonly olderServers: readonly string[];
  /** Why nothing can be asked of it now; absent while it takes what it is given. */
  readonly outage?: string;
}

export function logStateOf({ facts, outage }: Pick<Shards, "facts" | "outage">): LogState {
  const olderServers = namesOfServersBefore(facts, coreVersionMax);
  return {
    version: facts.version,
    versionMax: coreVersionMax,
    olderServers,
    ...(outage && { outage }),
  };
}

/** Living servers that cannot follow a log of this version, in the order of their names. */
export function namesOfServersBefore(
  facts: Pick<Facts, "serversBefore">,
  version: number,
): readonly string[] {
  return facts
    .serversBefore(version)
    .map((name) => name.replace(/^server\//, ""))
    .sort();
}
