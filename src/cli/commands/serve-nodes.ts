// SPDX-License-Identifier: MIT
// How `muster serve` sends an event to a run that it keeps: over the bus of the run, with its key,
// as anybody else does.
import { join } from "node:path";
import type { SendToRun } from "../../boss/index.ts";
import { resolveEventAddress } from "../../client/event-address.ts";
import { createCredentials } from "../../client/event-credentials.ts";
import { type EventRequest, sendEvent } from "../../client/event-request.ts";
import { eventHash, readEventKey } from "../../host/event-hash.ts";
import { readEventServer } from "../../testbed/event-server-file.ts";
import { openRegularFile } from "../../testbed/nodes/regular-file.ts";
import { BusError } from "../../wire/event/bus.ts";
import { eventWorld, senderAddress, splitTime } from "../event-bus.ts";
import { describeOutcome } from "../event-outcome.ts";

export const sendToRun: SendToRun = async ({ directory, experiment }, asked) => {
  const { runtime, connect, wallUs } = eventWorld;
  const server = readEventServer(directory);
  // Programs of the run can put a pipe in its place, for which all of the daemon would wait.
  const keyFile = join(directory, "proj/tbdata/eventkey");
  const opened = openRegularFile(keyFile, "read");
  if (typeof opened === "string") return opened;
  const key = readEventKey(keyFile, opened);
  if (server === undefined) return `${experiment} has told no address of its bus; is it up?`;
  if (key.kind === "refused") return key.message;
  const credentials = createCredentials({
    ...{ experiment, key: key.bytes, hash: eventHash, wallUs, randomBytes: runtime.randomBytes },
  });
  if (typeof credentials === "string") return credentials;
  const url = resolveEventAddress(
    { server, port: undefined },
    { environment: undefined, server: "", port: 0 },
  );
  if (url === undefined) return `the bus of ${experiment} is at no address: ${server}`;
  const { object, objtype, event, args, waits, signal } = asked;
  const request: EventRequest = {
    ...{ experiment, objname: object, objtype, eventtype: event, args },
    at: splitTime(wallUs()),
  };
  try {
    const bus = await connect(url);
    const outcome = await sendEvent({
      ...{ bus, request, credentials, runtime, waits, asks: true, interrupt: signal },
      sender: senderAddress(process.env),
    }).finally(() => bus.close());
    const isDone = waits
      ? outcome.kind === "completed" && outcome.error === 0
      : outcome.kind === "accepted";
    return isDone ? undefined : describeOutcome(outcome, { request, timeoutS: undefined });
  } catch (error) {
    if (error instanceof BusError) return error.message;
    throw error;
  }
};
