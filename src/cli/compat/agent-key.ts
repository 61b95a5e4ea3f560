// SPDX-License-Identifier: MIT
// The key of an experiment for the agents that are commands.
import { createCredentials, type EventCredentials } from "../../client/event-credentials.ts";
import { eventHash, readEventKey } from "../../host/event-hash.ts";
import { newNonce } from "../../host/ids.ts";
import { eventWorld } from "../event-bus.ts";

/**
 * Makes credentials, one for each who hears on its own. Without a key everything is believed and
 * nothing is signed. [EMULAB-EVENTS 1.7]
 *
 * @throws Error for a key that cannot be used
 */
export function agentCredentials(
  keyFile: string | undefined,
  experiment: string,
): () => EventCredentials {
  if (keyFile === undefined) return () => ({ sign: (plain) => plain, verify: () => true });
  const key = readEventKey(keyFile);
  if (key.kind === "refused") throw new Error(key.message);
  const make = (): EventCredentials => {
    const credentials = createCredentials({
      ...{ experiment, key: key.bytes, hash: eventHash, randomBytes: newNonce },
      wallUs: eventWorld.wallUs,
    });
    if (typeof credentials === "string") throw new Error(credentials);
    return credentials;
  };
  make();
  return make;
}
