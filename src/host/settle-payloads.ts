// SPDX-License-Identifier: MIT
// After a log was replayed: every message that it names is there, and no others (D11).
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
  await payloads.refresh?.();
  let last = 0;
  for (const id of named()) last = Math.max(last, id);
  if (last > payloads.lastId) {
    const message = `the log has messages up to ${last}, its topics only up to ${payloads.lastId}; restore both files together`;
    throw new LogError(message, { definite: true });
  }
  await payloads.keepOnly(named());
}
