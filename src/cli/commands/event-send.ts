// SPDX-License-Identifier: MIT
// `muster event send ID OBJECT EVENT [ARGS...]`: what tevc does, with an answer always: accepted,
// refused and why, heard by nobody, or completed.
import { join } from "node:path";
import { resolveStateDirectory } from "../../boss/state-directory.ts";
import { findBus } from "../../client/event-connection.ts";
import { createCredentials, type EventCredentials } from "../../client/event-credentials.ts";
import { type EventRequest, type SendOutcome, sendEvent } from "../../client/event-request.ts";
import { parseEventTime } from "../../client/event-time.ts";
import {
  describeOversize,
  formatEventArguments,
  parseEventWord,
  splitExperiment,
} from "../../client/event-words.ts";
import { closest } from "../../experiment/suggest.ts";
import { eventHash } from "../../host/event-hash.ts";
import { BusError } from "../../wire/event/bus.ts";
import { eventTypes } from "../../wire/event/names.ts";
import {
  type EventWorld,
  eventAddress,
  eventWorld,
  senderAddress,
  splitTime,
} from "../event-bus.ts";
import { findKey, keyFile, ownKeyFiles } from "../event-key.ts";
import { describeOutcome, describeSlow } from "../event-outcome.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError, type CommandIo } from "../io.ts";
import { findKeptRuns } from "../kept-runs.ts";
import { localCalendar } from "../local-calendar.ts";
import { harmless } from "../output.ts";

export interface EventSendArguments {
  readonly id: string;
  readonly object: string;
  readonly word: string;
  readonly words: readonly string[];
  readonly at: string;
  readonly timeline?: string;
  readonly wait: boolean;
  /** 0: for ever. */
  readonly timeout: number;
  readonly key?: string;
  readonly server?: string;
  readonly waitForServer: number;
  readonly state?: string;
  readonly json: boolean;
}

/** Exit statuses of this command besides those of exit-codes.ts; sysexits.h has the numbers. */
const sendExitCodes = {
  /** No bus, no scheduler, or no word from it. */
  unavailable: 69,
  /** Not completed in time. */
  timeout: 75,
} as const;

/** @returns the exit status. @throws CommandError */
export async function eventSendCommand(
  argv: EventSendArguments,
  io: CommandIo,
  world: EventWorld = eventWorld,
): Promise<number> {
  const experiment = findExperiment(argv);
  const request = readRequest(argv, `${experiment.pid}/${experiment.eid}`, world);
  const credentials = findCredentials(argv, experiment, world);
  const outcome = await send(argv, { request, credentials, io, world });
  const code = statusOf(outcome);
  const timeoutS = argv.timeout === 0 ? undefined : argv.timeout;
  const text = describeOutcome(outcome, { request, timeoutS });
  if (argv.json) io.stdout(`${formatJson({ request, outcome, text, code })}\n`);
  else if (code === exitCodes.ok) io.stdout(`${harmless(text)}\n`);
  if (code !== exitCodes.ok && !argv.json) io.stderr(`muster: ${harmless(text)}\n`);
  return code;
}

interface Experiment {
  readonly pid: string;
  readonly eid: string;
  /** Where its key may be, besides the testbed's place. */
  readonly others: readonly string[];
}

/** One that is kept here, or another by its full name. */
function findExperiment({ id, state: given }: EventSendArguments): Experiment {
  const state = resolveStateDirectory(given, process.env);
  const [run, another] = findKeptRuns(state, id);
  if (another !== undefined) {
    const message = `several projects have an experiment ${id}; give pid/eid`;
    throw new CommandError(exitCodes.usage, message);
  }
  const names = run ?? splitExperiment(id);
  if (names === undefined) {
    const message = `there is no experiment ${id} in ${state.path}; muster status lists those that are, any other is named pid/eid`;
    throw new CommandError(exitCodes.noInput, message);
  }
  const { pid, eid } = names;
  const kept = run === undefined ? [] : [join(run.directory, "proj", keyFile)];
  return { pid, eid, others: [...kept, ...ownKeyFiles(names, process.env)] };
}

function readRequest(
  argv: EventSendArguments,
  experiment: string,
  { wallUs }: EventWorld,
): EventRequest {
  const { object: objname, word, words, at: time, timeline } = argv;
  const usage = (message: string): CommandError => new CommandError(exitCodes.usage, message);
  const eventtype = parseEventWord(word);
  if (eventtype === undefined) {
    const near = closest(word.toUpperCase(), eventTypes);
    const hint = near === undefined ? "docs/man/tevc.1.md lists them" : `did you mean ${near}?`;
    throw usage(`there is no event ${word}; ${hint}`);
  }
  const at = parseEventTime(time, splitTime(wallUs()), localCalendar);
  if (at === undefined) {
    throw usage(`--at ${time}: it is now, +SECONDS, or [[[[yy]mm]dd]HH]MMss in local time`);
  }
  const args = formatEventArguments(words);
  const oversize = describeOversize(objname, args);
  if (oversize !== undefined) throw usage(oversize);
  const place = timeline === undefined ? {} : { timeline };
  return { experiment, objname, eventtype, args, at, ...place };
}

function findCredentials(
  { key: given }: EventSendArguments,
  experiment: Experiment,
  { wallUs, runtime }: EventWorld,
): EventCredentials {
  const found = findKey({ ...experiment, keyFile: given });
  const name = `${experiment.pid}/${experiment.eid}`;
  if (found.kind === "unreadable") {
    const help = "is it up? --key names the file of its key";
    const message = `cannot read the key of ${name}, ${found.path}: ${found.reason}; ${help}`;
    throw new CommandError(exitCodes.noInput, message);
  }
  if (found.kind === "unusable") throw new CommandError(exitCodes.noInput, found.message);
  const { randomBytes } = runtime;
  const credentials = createCredentials({
    ...{ experiment: name, key: found.bytes, hash: eventHash, wallUs, randomBytes },
  });
  if (typeof credentials !== "string") return credentials;
  throw new CommandError(exitCodes.noInput, credentials);
}

interface Sending {
  readonly request: EventRequest;
  readonly credentials: EventCredentials;
  readonly io: CommandIo;
  readonly world: EventWorld;
}

async function send(
  argv: EventSendArguments,
  { request, credentials, io, world }: Sending,
): Promise<SendOutcome> {
  const { server, waitForServer, wait: waits, timeout } = argv;
  const url = eventAddress(server);
  const { runtime, connect } = world;
  try {
    const bus = await findBus({
      connect: () => connect(url),
      runtime,
      lookForMs: waitForServer * 1_000,
    });
    try {
      return await sendEvent({
        ...{ bus, request, credentials, runtime, waits, asks: true },
        sender: senderAddress(process.env),
        ...(timeout === 0 ? {} : { timeoutMs: timeout * 1_000 }),
        onAccepted: () => {
          if (waits && !argv.json) io.stderr(`muster: accepted; waiting until it is completed\n`);
        },
        onSlow: () => io.stderr(`muster: ${harmless(describeSlow(request, "--timeout S"))}\n`),
        onGap: () =>
          io.stderr("muster: notifications were lost, the completion may be among them\n"),
      });
    } finally {
      bus.close();
    }
  } catch (error) {
    if (error instanceof BusError) throw new CommandError(sendExitCodes.unavailable, error.message);
    throw error;
  }
}

function statusOf(outcome: SendOutcome): number {
  switch (outcome.kind) {
    case "published":
    case "accepted":
      return exitCodes.ok;
    case "completed":
      return outcome.error === 0 ? exitCodes.ok : exitCodes.failed;
    case "refused":
      return exitCodes.failed;
    case "timeout":
      return sendExitCodes.timeout;
    case "cancelled":
      return exitCodes.interrupted;
    case "no-scheduler":
    case "no-answer":
    case "failed":
      return sendExitCodes.unavailable;
  }
}

interface Sent {
  readonly request: EventRequest;
  readonly outcome: SendOutcome;
  readonly text: string;
  readonly code: number;
}

function formatJson({ request, outcome, text, code }: Sent): string {
  const { experiment, objname: object, eventtype: event, args, at, timeline } = request;
  const { kind, ...facts } = outcome;
  const atUs = at.seconds * 1_000_000 + at.microseconds;
  return JSON.stringify(
    {
      ...{ experiment, object, event, args, atUs, timeline: timeline ?? null },
      outcome: kind,
      ...facts,
      ...{ text, exitCode: code },
    },
    null,
    2,
  );
}
