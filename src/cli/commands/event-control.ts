// SPDX-License-Identifier: MIT
// `muster event ls|cancel|edit|pause|resume|replay`: what the scheduler of an experiment holds, and
// changes to it. Each says what became of it: an event is `cancelled` or `already fired`, because
// whoever performs it has been asked.
import {
  type ControlFailure,
  type ControlOptions,
  type ControlOutcome,
  controlEvents,
  type EventList,
  listEvents,
} from "../../client/event-control.ts";
import type { EventTime } from "../../client/event-time.ts";
import { describeOversize, formatEventArguments } from "../../client/event-words.ts";
import type { EventInstant } from "../../core/agenda/commands.ts";
import type { ControlRequest, ListedEvent } from "../../wire/event/control.ts";
import { type EventWorld, eventWorld, senderAddress, splitTime } from "../event-bus.ts";
import { eventInstantForms, parseEventInstant } from "../event-instant.ts";
import { describeAway, describeFailure } from "../event-outcome.ts";
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
import { formatInstant, formatTable, harmless } from "../output.ts";

export interface EventControlArguments extends EventPartyArguments {
  readonly json: boolean;
}

export interface EventNumberArguments extends EventControlArguments {
  /** As in the list. */
  readonly number: number;
}

export interface EventEditArguments extends EventNumberArguments {
  readonly at?: string;
  /** `KEY=VALUE`; undefined: they stay. */
  readonly args?: readonly string[];
}

/** @returns the exit status. @throws CommandError */
export async function eventListCommand(
  argv: EventControlArguments,
  io: CommandIo,
  world: EventWorld = eventWorld,
): Promise<number> {
  const party = findParty(argv);
  const outcome = await withParty(argv, party, { io, world }, listEvents);
  if (outcome.kind !== "listed") return fail(argv, party, io, outcome);
  const { list } = outcome;
  io.stdout(argv.json ? `${JSON.stringify(toJson(party, list), null, 2)}\n` : formatList(list));
  return exitCodes.ok;
}

/** @returns the exit status. @throws CommandError */
export function eventCancelCommand(
  argv: EventNumberArguments,
  io: CommandIo,
  world: EventWorld = eventWorld,
): Promise<number> {
  return change(argv, { kind: "cancel", id: argv.number }, io, world);
}

/** @returns the exit status. @throws CommandError */
export function eventEditCommand(
  argv: EventEditArguments,
  io: CommandIo,
  world: EventWorld = eventWorld,
): Promise<number> {
  const at = argv.at === undefined ? undefined : readInstant(argv.at, splitTime(world.wallUs()));
  const args = argv.args === undefined ? undefined : formatEventArguments(argv.args).trim();
  if (at === undefined && args === undefined) {
    const message = "it would change nothing; give --at TIME, or --args KEY=VALUE...";
    throw new CommandError(exitCodes.usage, message);
  }
  const oversize = describeOversize("", args ?? "");
  if (oversize !== undefined) throw new CommandError(exitCodes.usage, oversize);
  const changes = {
    ...(at === undefined ? {} : { at }),
    ...(args === undefined ? {} : { args }),
  };
  return change(argv, { kind: "edit", id: argv.number, ...changes }, io, world);
}

/** @returns the exit status. @throws CommandError */
export function eventTimeCommand(
  argv: EventControlArguments & { readonly what: "pause" | "resume" | "replay" },
  io: CommandIo,
  world: EventWorld = eventWorld,
): Promise<number> {
  return change(argv, { kind: argv.what }, io, world);
}

async function change(
  argv: EventControlArguments,
  request: Exclude<ControlRequest, { kind: "list" }>,
  io: CommandIo,
  world: EventWorld,
): Promise<number> {
  const party = findParty(argv);
  const outcome = await withParty(argv, party, { io, world }, (options) =>
    controlEvents(options, request),
  );
  if (outcome.kind !== "done") return fail(argv, party, io, outcome);
  const { result, eventUs } = outcome;
  const code = result === "already-fired" ? exitCodes.failed : exitCodes.ok;
  const experiment = nameOf(party);
  const json = {
    experiment,
    ...request,
    outcome: result,
    eventUs: eventUs ?? null,
    exitCode: code,
  };
  io.stdout(argv.json ? `${JSON.stringify(json, null, 2)}\n` : `${describeDone(outcome)}\n`);
  return code;
}

function withParty<Outcome>(
  argv: EventControlArguments,
  party: EventParty,
  { io, world }: { readonly io: CommandIo; readonly world: EventWorld },
  use: (options: ControlOptions) => Promise<Outcome>,
): Promise<Outcome> {
  const credentials = findCredentials(argv, party, world);
  const { runtime, wallUs } = world;
  return withEventBus(argv, party, world, (bus) =>
    use({
      ...{ bus, credentials, runtime, experiment: nameOf(party) },
      sender: senderAddress(process.env),
      now: () => splitTime(wallUs()),
      onAway: (ms) => io.stderr(`muster: ${describeAway(nameOf(party), ms)}\n`),
    }),
  );
}

function fail(
  { json }: EventControlArguments,
  party: EventParty,
  io: CommandIo,
  outcome: ControlFailure,
): number {
  const experiment = nameOf(party);
  const text = describeFailure(outcome, experiment);
  const code = statuses[outcome.kind];
  const { kind, ...facts } = outcome;
  const said = { experiment, outcome: kind, ...facts, text, exitCode: code };
  if (json) io.stdout(`${JSON.stringify(said, null, 2)}\n`);
  else io.stderr(`muster: ${harmless(text)}\n`);
  return code;
}

const statuses: Readonly<Record<ControlFailure["kind"], number>> = {
  refused: exitCodes.failed,
  cancelled: exitCodes.interrupted,
  "no-scheduler": eventExitCodes.unavailable,
  "no-answer": eventExitCodes.unavailable,
  failed: eventExitCodes.unavailable,
};

function describeDone({ result, eventUs }: ControlOutcome & { kind: "done" }): string {
  const at = eventUs === undefined ? "" : ` at ${formatInstant(eventUs)}`;
  return `${result === "already-fired" ? "already fired" : result}${at}`;
}

/** What `--at` takes, or `@S`: seconds after time 0. @throws CommandError */
function readInstant(text: string, now: EventTime): EventInstant {
  const [, seconds] = /^@(\d{1,9}(?:\.\d{1,6})?)$/.exec(text) ?? [];
  if (seconds !== undefined) return { kind: "at", us: Math.round(Number(seconds) * 1_000_000) };
  const at = parseEventInstant(text, now);
  if (at === undefined) {
    const forms = `@SECONDS after time 0, ${eventInstantForms}`;
    throw new CommandError(exitCodes.usage, `--at ${text}: it is ${forms}`);
  }
  const inUs = (at.seconds - now.seconds) * 1_000_000 + at.microseconds - now.microseconds;
  return { kind: "in", us: Math.max(0, inUs) };
}

/** The table of `muster event ls`. */
function formatList({ events, paused, nowUs }: EventList): string {
  const time = nowUs === null ? "time 0 has not come" : `event time is ${formatInstant(nowUs)}`;
  const now = paused ? `${time}, paused` : time;
  if (events.length === 0) return `no event is planned or under way; ${now}\n`;
  const head = ["ID", "AT", "IN", "OBJECT", "EVENT", "STATE", "ARGS"];
  const rows = events.map((event) => {
    const { id, object, event: what, args, argsCut, plannedUs } = event;
    const inUs = plannedUs === null || nowUs === null ? undefined : plannedUs - nowUs;
    return [
      ...[String(id), plannedUs === null ? "-" : formatInstant(plannedUs)],
      ...[inUs === undefined ? "-" : formatInstant(inUs), object, what],
      ...[describeState(event), argsCut ? `${args}...` : args],
    ];
  });
  return `${[now, ...formatTable([head, ...rows])].join("\n")}\n`;
}

function describeState({ state, on, within }: ListedEvent): string {
  const part = within === null ? "" : ` in ${within}`;
  switch (state) {
    case "queued":
      return `planned${part}`;
    case "waiting":
      return `waiting for ${on ?? "a barrier"}${part}`;
    case "armed":
      return `armed${part}`;
    case "revoking":
      return `asked back${part}`;
    case "fired":
    case "running":
      return `fired${part}`;
  }
}

function toJson(party: EventParty, { events, paused, nowUs }: EventList): object {
  return { experiment: nameOf(party), paused, nowUs, events, exitCode: exitCodes.ok };
}

function nameOf({ pid, eid }: EventParty): string {
  return `${pid}/${eid}`;
}
