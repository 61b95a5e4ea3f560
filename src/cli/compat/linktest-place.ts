// SPDX-License-Identifier: MIT
// Where run_linktest and ltevent find the bus of an experiment and its key. [LINKTEST 8, 9]
import { dirname, join } from "node:path";
import { resolveStateDirectory } from "../../boss/state-directory.ts";
import { eventPorts, eventServerName, resolveEventAddress } from "../../client/event-address.ts";
import { type ConnectedBus, findBus } from "../../client/event-connection.ts";
import { createCredentials, type EventCredentials } from "../../client/event-credentials.ts";
import { eventClientTime } from "../../client/event-limits.ts";
import { splitExperiment } from "../../client/event-words.ts";
import { readFileAs } from "../../events/launch/index.ts";
import { eventHash } from "../../host/event-hash.ts";
import { BusError } from "../../wire/event/bus.ts";
import { oldEventWorld } from "../event-bus.ts";
import { findKey, keyFile, ownKeyFiles } from "../event-key.ts";
import { findKeptRuns } from "../kept-runs.ts";

export interface LinktestPlace {
  readonly experiment: string | undefined;
  readonly keyFile: string | undefined;
  readonly server: string | undefined;
  readonly port: number | undefined;
}

export interface LinktestParty {
  readonly experiment: string;
  readonly credentials: EventCredentials;
  readonly bus: ConnectedBus;
}

/** @returns a sentence where one of the two is not to be had */
export async function openLinktestPlace(given: LinktestPlace): Promise<LinktestParty | string> {
  const { experiment = "", keyFile: key } = given;
  const names = splitExperiment(experiment);
  if (names === undefined) return "-e takes pid/eid";
  const own = ownKeyFiles(names, process.env);
  const kept = findKeptRuns(resolveStateDirectory(undefined, process.env), experiment);
  const others = [...own, ...kept.map(({ directory }) => join(directory, "proj", keyFile))];
  const found = findKey({ ...names, keyFile: key, others });
  if (found.kind === "unreadable") return `cannot read the key ${found.path}: ${found.reason}`;
  if (found.kind === "unusable") return found.message;
  const { runtime, wallUs, connect } = oldEventWorld;
  const { randomBytes } = runtime;
  const credentials = createCredentials({
    ...{ experiment, key: found.bytes, hash: eventHash, wallUs, randomBytes },
  });
  if (typeof credentials === "string") return credentials;
  const files = [...(key === undefined ? [] : [key]), ...others];
  const url = addressOf(given, files);
  if (url === undefined) return "-s is no host; give HOST, and -p PORT";
  try {
    const lookForMs = eventClientTime.lookForBusMs;
    const bus = await findBus({ connect: () => connect(url), runtime, lookForMs });
    return { experiment, credentials, bus };
  } catch (error) {
    if (error instanceof BusError) return error.message;
    throw error;
  }
}

/** A run of Muster says beside the key where its bus is; who names another one is believed. */
function addressOf({ server, port }: LinktestPlace, keys: readonly string[]): string | undefined {
  const told = keys.flatMap((key) => {
    const text = readFileAs(undefined, join(dirname(key), "eventserver"))?.trim();
    return text === undefined || text === "" ? [] : [text];
  });
  return resolveEventAddress(
    { server, port },
    {
      environment: process.env["MUSTER_EVENTS"] ?? told[0],
      server: eventServerName,
      port: eventPorts.experiments,
    },
  );
}
