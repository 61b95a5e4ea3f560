// SPDX-License-Identifier: MIT
// Barriers in log lines.
import type { ScopeDescription } from "../../core/description.ts";

/** One line per barrier and one per waiter. [EMULAB-SYNC 1 INFO] */
export function formatReport(description: ScopeDescription): readonly string[] {
  if (description.barriers.length === 0) return ["no barriers"];
  return description.barriers.flatMap((barrier) => {
    const more = barrier.arrived - barrier.waiting.length;
    return [
      `${quoteBarrier(barrier.name)}: ${barrier.arrived} waiters, count ${barrier.count}`,
      ...barrier.waiting.map(({ who, error }) => `  ${who.address} error ${error}`),
      ...(more > 0 ? [`  and ${more} more`] : []),
    ];
  });
}

/** A barrier's name in a log line; bytes that would end or fake a line are escaped. */
export function quoteBarrier(name: string): string {
  const escaped = name.replace(/[^\x20-\x7e]/g, escapeByte);
  return `barrier '${escaped}'`;
}

function escapeByte(character: string): string {
  return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
}
