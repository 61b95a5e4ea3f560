// SPDX-License-Identifier: MIT
// `muster event send ID OBJECT EVENT [ARGS...]`: what tevc does, with an answer always: accepted,
// refused and why, taken by no scheduler, or completed.
import type { EventCredentials } from "../../client/event-credentials.ts";
import { eventClientTime } from "../../client/event-limits.ts";
import { type EventRequest, type SendOutcome, sendEvent } from "../../client/event-request.ts";
import {
  describeOversize,
  formatEventArguments,
  parseEventWord,
} from "../../client/event-words.ts";
import { closest } from "../../experiment/suggest.ts";
import { eventTypes } from "../../wire/event/names.ts";
import { type EventWorld, eventWorld, senderAddress, splitTime } from "../event-bus.ts";
import { eventInstantForms, parseEventInstant } from "../event-instant.ts";
import { describeAway, describeOutcome, describeSlow } from "../event-outcome.ts";
import {
  type EventParty,
  type EventPartyArguments,
  eventExitCodes,
  findCredentials,
  findParty,
  withEventBus,
} from "../event-party.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError, type CommandIo } from "../io.ts";
import { harmless } from "../output.ts";

export interface EventSendArguments extends EventPartyArguments {
  readonly object: string;
  readonly word: string;
  readonly words: readonly string[];
  readonly at: string;
  readonly timeline?: string;
  /** `briefly`: for what fires at once and completes at once; it is accepted in any case. */
  readonly wait: boolean | "briefly";
  /** 0: for ever. */
  readonly timeout: number;
  readonly json: boolean;
}

/** @returns the exit status. @throws CommandError */
export async function eventSendCommand(
  argv: EventSendArguments,
  io: CommandIo,
  world: EventWorld = eventWorld,
): Promise<number> {
  const party = findParty(argv);
  const request = readRequest(argv, `${party.pid}/${party.eid}`, world);
  const credentials = findCredentials(argv, party, world);
  const outcome = await send(argv, { party, request, credentials, io, world });
  const code = statusOf(outcome);
  const timeoutS = argv.timeout === 0 ? undefined : argv.timeout;
  const unknown = argv.wait === "briefly" && outcome.kind === "accepted" ? notKnown : "";
  const text = `${describeOutcome(outcome, { request, timeoutS })}${unknown}`;
  if (argv.json) io.stdout(`${formatJson({ request, outcome, text, code })}\n`);
  else if (code === exitCodes.ok) io.stdout(`${harmless(text)}\n`);
  if (code !== exitCodes.ok && !argv.json) io.stderr(`muster: ${harmless(text)}\n`);
  return code;
}

const outcomeSeconds = eventClientTime.outcomeMs / 1_000;
const notKnown =
  `; whether it has taken effect is not known after ${outcomeSeconds} s, and it may yet: ` +
  "see muster link show";

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
  const at = parseEventInstant(time, splitTime(wallUs()));
  if (at === undefined) {
    const seconds = /^(\d+(?:\.\d+)?)s?$/.exec(time)?.[1];
    const meant = seconds === undefined ? "" : `; +${seconds} is ${seconds} seconds from now`;
    throw usage(`--at ${time}: it is ${eventInstantForms}${meant}`);
  }
  const args = formatEventArguments(words);
  const oversize = describeOversize(objname, args);
  if (oversize !== undefined) throw usage(oversize);
  const place = timeline === undefined ? {} : { timeline };
  return { experiment, objname, eventtype, args, at, ...place };
}

interface Sending {
  readonly party: EventParty;
  readonly request: EventRequest;
  readonly credentials: EventCredentials;
  readonly io: CommandIo;
  readonly world: EventWorld;
}

async function send(
  argv: EventSendArguments,
  { party, request, credentials, io, world }: Sending,
): Promise<SendOutcome> {
  const { wait, timeout } = argv;
  const waits = wait !== false;
  const { runtime } = world;
  const given = new AbortController();
  let accepted: SendOutcome | undefined;
  let cancel = (): void => undefined;
  const outcome = await withEventBus(argv, party, world, (bus) =>
    sendEvent({
      ...{ bus, request, credentials, runtime, waits, asks: true, interrupt: given.signal },
      sender: senderAddress(process.env),
      ...(timeout === 0 ? {} : { timeoutMs: timeout * 1_000 }),
      onAccepted: (token, _answer, id) => {
        if (wait === "briefly") {
          accepted = { kind: "accepted", token, id };
          cancel = runtime.after(eventClientTime.outcomeMs, () => given.abort());
        } else if (waits && !argv.json) {
          io.stderr(`muster: accepted; waiting until it is completed\n`);
        }
      },
      onAway: (ms) => io.stderr(`muster: ${describeAway(request.experiment, ms)}\n`),
      onSlow: () => {
        if (wait === "briefly") return;
        io.stderr(`muster: ${harmless(describeSlow(request, "--timeout S"))}\n`);
      },
      onGap: () => io.stderr("muster: notifications were lost, the completion may be among them\n"),
    }),
  );
  cancel();
  return outcome.kind === "cancelled" && accepted !== undefined ? accepted : outcome;
}

function statusOf(outcome: SendOutcome): number {
  switch (outcome.kind) {
    case "published":
    case "accepted":
      return exitCodes.ok;
    case "completed":
      return outcome.error === 0 ? exitCodes.ok : exitCodes.failed;
    case "refused":
    case "ignored":
      return exitCodes.failed;
    case "timeout":
      return eventExitCodes.timeout;
    case "cancelled":
      return exitCodes.interrupted;
    case "no-scheduler":
    case "no-answer":
    case "failed":
      return eventExitCodes.unavailable;
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
