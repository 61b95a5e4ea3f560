// SPDX-License-Identifier: MIT
// Which sessions an entry of the log says are with a server.
import type { LogEntry } from "../../core/command.ts";
import type { Host } from "../../host/host.ts";

/**
 * To be let in is not enough, nor is what counts only when a batch before it has come, which the
 * log did not take at first.
 * @param host has just applied the entry
 */
export function attachedSessions(
  { entry }: LogEntry,
  host: Pick<Host, "lastBatch"> | undefined,
): readonly string[] {
  const attached: string[] = [];
  for (const { edge, incarnation, number, commands } of entry.batches) {
    for (const command of commands) {
      if (command.kind !== "attach" && command.kind !== "attached") continue;
      const who = command.kind === "attach" ? edge : command.edge;
      if (!who.startsWith("session/")) continue;
      if (host?.lastBatch(edge, incarnation) === number) attached.push(who);
    }
  }
  return attached;
}
