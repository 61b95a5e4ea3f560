// SPDX-License-Identifier: MIT
// The messages of topics as each server of a simulated cluster has them: beside the log, as on
// NATS, so that what one server has written all can read.
import type { PayloadRef } from "../../core/command.ts";
import { LogError } from "../../engine/log.ts";
import type { MemoryPayloads, Payloads } from "../../engine/payloads.ts";
import type { SharedLog } from "./shared-log.ts";

export function sharedPayloads(
  stored: MemoryPayloads,
  log: Pick<SharedLog, "isAway">,
  onWritten: (id: number, message: string) => void,
): Payloads {
  const write = async (message: Uint8Array): Promise<PayloadRef> => {
    if (log.isAway) {
      throw new LogError("the topics take nothing: the log is away", { definite: true });
    }
    const ref = await stored.write(message);
    onWritten(ref.id, Buffer.from(message).toString());
    return ref;
  };
  return {
    get lastId() {
      return stored.lastId;
    },
    write,
    read: (places, bytesMax) => stored.read(places, bytesMax),
    free: (ids) => stored.free(ids),
    // What is not named yet may be another server's, and is young.
    keepOnly: () => undefined,
    close: () => Promise.resolve(),
  };
}
