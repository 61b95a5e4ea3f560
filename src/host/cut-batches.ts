// SPDX-License-Identifier: MIT
// Batches as entries of the usual size: of at most so many commands, a larger batch alone.
import type { Batch } from "../core/command.ts";

export function cutBatches(
  batches: readonly Batch[],
  commandsMax: number,
): readonly (readonly Batch[])[] {
  const entries: Batch[][] = [];
  let commands = Number.POSITIVE_INFINITY;
  for (const batch of batches) {
    if (commands + batch.commands.length > commandsMax) {
      entries.push([]);
      commands = 0;
    }
    entries.at(-1)?.push(batch);
    commands += batch.commands.length;
  }
  return entries;
}
