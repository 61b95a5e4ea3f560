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
  return entry.batches
    .filter(({ edge, incarnation, number }) => host?.lastBatch(edge, incarnation) === number)
    .flatMap(({ edge, commands }) =>
      commands.map((command) => {
        if (command.kind === "attach") return edge;
        return command.kind === "attached" ? command.edge : "";
      }),
    )
    .filter((edge) => edge.startsWith("session/"));
}
