// SPDX-License-Identifier: MIT
// What belongs to a log belongs to it: it ends behind its snapshot, and after it was replayed every
// message that it names is there, and no others (D11).
import { LogError } from "../engine/log.ts";
import type { Payloads } from "../engine/payloads.ts";

/**
 * @param named every message that the log names
 * @throws LogError (definite) when the messages belong to another log
 */
export async function settlePayloads(
  payloads: Payloads,
  named: () => Iterable<number>,
): Promise<void> {
  // Before it is asked what there is: the log goes on meanwhile, and names what came after that.
  let last = 0;
  for (const id of named()) last = Math.max(last, id);
  await payloads.refresh?.(last);
  if (last > payloads.lastId) {
    const message = `the log has messages up to ${last}, its topics only up to ${payloads.lastId}; restore both together`;
    throw new LogError(message, { definite: true });
  }
  await payloads.keepOnly(named());
}

/** @throws LogError (definite) when the log ends before its snapshot: one of them is another's */
export function checkEnd(snapshotAt: number, head: number): void {
  if (snapshotAt <= head) return;
  const message = `there is a snapshot at entry ${snapshotAt}, and the log ends at ${head}; restore both together`;
  throw new LogError(message, { definite: true });
}
