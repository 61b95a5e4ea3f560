// SPDX-License-Identifier: MIT
// Stores messages of topics, and says when they are not: in the server's log at once, then ever
// more rarely until one is stored again, and to its sender without a name of what keeps them.
import type { PayloadRef } from "../core/command.ts";
import { LogError } from "../engine/log.ts";
import type { Payloads } from "../engine/payloads.ts";
import type { Clock } from "./clock.ts";
import type { Logger } from "./logger.ts";
import { Outage, outagePaces } from "./outage.ts";

const words = {
  failed: (why: string): string =>
    `a message of a topic was not stored, and its sender told so: ${why}`,
  over: (lasted: string): string => `messages of topics are stored again, after ${lasted}`,
};

/** @returns stores a message. @throws LogError */
export function createMessageWriter(
  payloads: Pick<Payloads, "write">,
  logger: Logger,
  clock: Pick<Clock, "nowUs" | "after">,
): (message: Uint8Array) => Promise<PayloadRef> {
  const outage = new Outage({ clock, logger, words, pace: outagePaces.urgent });
  return async (message) => {
    try {
      const stored = await payloads.write(message);
      outage.over();
      return stored;
    } catch (error) {
      outage.failed(String(error));
      throw error;
    }
  };
}

/** For who has sent it. */
export function whyNotStored(error: unknown): string {
  const what = "the message could not be stored";
  if (!(error instanceof LogError)) return `${what}; try again`;
  if (error.isFull)
    return `${what}: the server has no room for messages of topics; try again later`;
  if (error.isAway) return `${what}: what the server keeps messages in does not answer; try again`;
  return `${what}; try again`;
}
