// SPDX-License-Identifier: MIT
// A start that is begun anew: brokers that choose another leader while a server reads its log may
// replace what it has read (R4 of nats-tail.ts). Who serves has to end then, because others were
// told of it; who serves nobody yet reads what there is now.
import { LogError } from "../../engine/log.ts";

/** Brokers that lose what they deliver so often do not do it by chance. */
export const openTriesMax = 3;

/**
 * @param open leaves nothing behind when it fails
 * @param onAgain told why, before each try but the first
 * @throws what the last try failed with; what has another reason at once
 */
export async function openAnew<T>(
  open: () => Promise<T>,
  onAgain: (why: LogError) => void,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await open();
    } catch (error) {
      const mayTry = error instanceof LogError && error.isReplaced && tries < openTriesMax;
      if (!mayTry) throw error;
      onAgain(error);
    }
  }
}
