// SPDX-License-Identifier: MIT
// What tevc does, in the order in which the old program did it, with the exit codes that it had.
// [EMULAB-EVENTS 3] What it needs of the world is handed in; MUSTER_TEVC_STRICT is decided here.
import { constants } from "node:os";
import { eventPorts, eventServerName, resolveEventAddress } from "../../client/event-address.ts";
import { type ConnectedBus, findBus } from "../../client/event-connection.ts";
import { createCredentials, type EventCredentials } from "../../client/event-credentials.ts";
import { eventClientTime } from "../../client/event-limits.ts";
import { type EventRequest, type SendOutcome, sendEvent } from "../../client/event-request.ts";
import { type LocalCalendar, parseEventTime } from "../../client/event-time.ts";
import {
  describeOversize,
  formatEventArguments,
  parseEventWord,
} from "../../client/event-words.ts";
import type { KeyedHash } from "../../wire/event/authentication.ts";
import { BusError } from "../../wire/event/bus.ts";
import { createNotification } from "../../wire/event/notification.ts";
import { type EventWorld, splitTime } from "../event-bus.ts";
import { findKey, ownKeyFiles } from "../event-key.ts";
import { describeAway, describeOutcome, describeSlow } from "../event-outcome.ts";
import { harmless } from "../output.ts";
import type { Exit } from "./exit.ts";
import {
  type ControlArguments,
  failureCode,
  parseTevcArguments,
  type ScheduleArguments,
} from "./tevc-arguments.ts";

/** Where the two buses are by custom. [EMULAB-EVENTS 3] */
const experimentsBus = { server: eventServerName, port: eventPorts.experiments };
const testbedBus = { server: "localhost", port: eventPorts.testbed };

export interface TevcWorld extends EventWorld {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly isRoot: boolean;
  readonly hash: KeyedHash;
  readonly calendar: LocalCalendar;
  readonly sender: string;
  /** For what is said while the program goes on. */
  stderr(text: string): void;
}

/**
 * Never rejects for what the bus does; without MUSTER_TEVC_STRICT it may never resolve, as ever.
 */
export async function runTevc(args: readonly string[], world: TevcWorld): Promise<Exit> {
  const given = parseTevcArguments(args);
  if (given.kind === "exit") return given;
  return given.kind === "control" ? await sendControl(given, world) : await schedule(given, world);
}

async function schedule(given: ScheduleArguments, world: TevcWorld): Promise<Exit> {
  const experiment = `${given.pid}/${given.eid}`;
  const found = findKey({ ...given, others: ownKeyFiles(given, world.environment) });
  if (found.kind === "unreadable") return fail(`Could not read ${found.path} : ${found.reason}`);
  if (found.kind === "unusable") return fail(`tevc: ${found.message}`);
  const { hash, runtime, wallUs } = world;
  const { randomBytes } = runtime;
  const credentials = createCredentials({
    experiment,
    key: found.bytes,
    hash,
    wallUs,
    randomBytes,
  });
  if (typeof credentials === "string") return fail(`tevc: ${credentials}`);
  // The old program looked at the words once it had the bus; before that is kinder.
  const early = isStrict(world) ? readRequest(given, world) : undefined;
  if (early?.kind === "exit") return early;
  const bus = await connect(given, world);
  if ("kind" in bus) return bus;
  try {
    const request = early ?? readRequest(given, world);
    return request.kind === "exit"
      ? request
      : await send(request.request, { given, world, bus, credentials });
  } finally {
    bus.close();
  }
}

function readRequest(
  given: ScheduleArguments,
  { wallUs, calendar }: TevcWorld,
): { readonly kind: "request"; readonly request: EventRequest } | Exit {
  const { pid, eid, objname, event, words, time } = given;
  const eventtype = parseEventWord(event);
  if (eventtype === undefined) return unknownEvent(event);
  const at = parseEventTime(time, splitTime(wallUs()), calendar);
  if (at === undefined) {
    return fail(`Invalid time: ${time}; it is now, +SECONDS or [[[[yy]mm]dd]HH]MMss`);
  }
  const args = formatEventArguments(words);
  const oversize = describeOversize(objname, args);
  if (oversize !== undefined) return fail(`tevc: ${oversize}`);
  return {
    kind: "request",
    request: { experiment: `${pid}/${eid}`, objname, eventtype, args, at },
  };
}

interface Sending {
  readonly given: ScheduleArguments;
  readonly world: TevcWorld;
  readonly bus: ConnectedBus;
  readonly credentials: EventCredentials;
}

async function send(request: EventRequest, sending: Sending): Promise<Exit> {
  const { given, world, bus, credentials } = sending;
  const { runtime, sender } = world;
  const { waits, timeoutS } = given;
  const isEndless = !waits || timeoutS === undefined || timeoutS === 0;
  const outcome = await sendEvent({
    ...{ bus, request, credentials, runtime, sender, waits, asks: isStrict(world) },
    ...(isEndless ? {} : { timeoutMs: timeoutS * 1000 }),
    onAway: (ms) => world.stderr(`tevc: ${describeAway(request.experiment, ms)}\n`),
    onSlow: () => {
      if (isStrict(world)) world.stderr(`tevc: ${harmless(describeSlow(request, "-t N"))}\n`);
    },
    onGap: () => {
      if (!isStrict(world)) return;
      world.stderr("tevc: notifications were lost, the completion may be among them\n");
    },
  });
  const code = exitCodeOf(outcome);
  const isTold = isStrict(world) || outcome.kind === "failed";
  const text = harmless(describeOutcome(outcome, { request, timeoutS }));
  const isFine = code === 0 && outcome.kind !== "ignored";
  const stderr = isFine || !isTold ? {} : { stderr: `tevc: ${text}\n` };
  return { kind: "exit", code, ...stderr };
}

function exitCodeOf(outcome: SendOutcome): number {
  switch (outcome.kind) {
    case "published":
    case "accepted":
    case "ignored":
      return 0;
    case "completed":
      return outcome.error & 0xff;
    case "timeout":
      return constants.errno.ETIMEDOUT;
    case "refused":
    case "no-scheduler":
    case "no-answer":
    case "failed":
    case "cancelled":
      return failureCode;
  }
}

/** An event of the testbed's own: live, unauthenticated, for whoever listens. */
async function sendControl(given: ControlArguments, world: TevcWorld): Promise<Exit> {
  if (!world.isRoot) return fail("Only root may send control events; leave out -c, or become root");
  const bus = await connect(given, world);
  if ("kind" in bus) return bus;
  try {
    const eventtype = parseEventWord(given.event);
    if (eventtype === undefined) return unknownEvent(given.event);
    const address = { objtype: "TBCONTROL", eventtype, scheduler: 0 } as const;
    const { sender } = world;
    const notification = createNotification(address, { sender, layout: "2011", extra: [] });
    const { matched } = await bus.publish(notification);
    if (matched > 0 || !isStrict(world)) return { kind: "exit", code: 0 };
    return fail(`tevc: ${eventtype} was heard by nobody; is the testbed's state service running?`);
  } catch (error) {
    if (!(error instanceof BusError)) throw error;
    return fail(`tevc: ${given.event} was not sent: ${error.message}`);
  } finally {
    bus.close();
  }
}

/** The old program looks for the bus for ever, in silence; a strict one says so, and gives up. */
async function connect(
  given: ScheduleArguments | ControlArguments,
  world: TevcWorld,
): Promise<ConnectedBus | Exit> {
  const url =
    given.kind === "control"
      ? resolveEventAddress(given, { ...testbedBus, environment: undefined })
      : resolveEventAddress(given, {
          ...experimentsBus,
          environment: world.environment["MUSTER_EVENTS"],
        });
  if (url === undefined) return fail("tevc: -s or MUSTER_EVENTS is no host; give HOST, HOST:PORT");
  const { lookForBusMs } = eventClientTime;
  const strict = {
    lookForMs: lookForBusMs,
    onRetry: (reason: string) =>
      world.stderr(`tevc: ${reason}; trying again for ${lookForBusMs / 1000} s\n`),
  };
  try {
    return await findBus({
      connect: () => world.connect(url),
      runtime: world.runtime,
      ...(isStrict(world) ? strict : {}),
    });
  } catch (error) {
    if (!(error instanceof BusError)) throw error;
    return fail(`tevc: ${error.message}`);
  }
}

function isStrict({ environment }: TevcWorld): boolean {
  return environment["MUSTER_TEVC_STRICT"] === "1";
}

function unknownEvent(word: string): Exit {
  return fail(`Unknown event: ${word.toUpperCase()}`);
}

function fail(text: string): Exit {
  return { kind: "exit", code: failureCode, stderr: `${text}\n` };
}
