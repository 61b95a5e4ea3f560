// SPDX-License-Identifier: MIT
// The command line of tevc: options, texts and exit codes of the old program byte for byte, as far
// as they are known. [EMULAB-EVENTS 3] What is ours is behind long options, and MUSTER_TEVC_STRICT.

import { eventPorts } from "../../client/event-address.ts";
import { splitExperiment } from "../../client/event-words.ts";
import { describeMuster } from "../version.ts";
import type { Exit } from "./exit.ts";
import { formatFault, Getopt, scanInteger } from "./getopt.ts";

/** What the old program ends with when it could not do its work. */
export const failureCode = 255;

export const usage = `usage: tevc [-w] [-t N] [-d] [-s server] [-p port] [-k keyfile] -e pid/eid time objname event [args ...]
       tevc -c [-s server] [-p port] event
`;

const help = `${usage}
 -e pid/eid   the experiment
 -w           wait until the event is completed, end with its error
 -t N         with -w: give up after N seconds
 -k keyfile   key of the experiment; otherwise tbdata/eventkey of its directory
 -s server    where the bus is; otherwise event-server (-c: localhost)
 -p port      its port; otherwise ${eventPorts.experiments} (-c: ${eventPorts.testbed})
 -c           send a control event of the testbed; root only
 time         now, +SECONDS, or [[[[yy]mm]dd]HH]MMss in local time

Options of Muster:
 --help       Display this message
 --version    Print Muster's version and exit

MUSTER_EVENTS in the environment says where the bus is when -s does not.
With MUSTER_TEVC_STRICT=1 in the environment, what the old program passes over
in silence is a message and exit status 255. muster event send always does so.
`;

/** An event for the scheduler of an experiment. */
export interface ScheduleArguments {
  readonly kind: "schedule";
  readonly pid: string;
  readonly eid: string;
  readonly keyFile: string | undefined;
  readonly server: string | undefined;
  readonly port: number | undefined;
  readonly waits: boolean;
  /** Undefined: for ever. */
  readonly timeoutS: number | undefined;
  readonly time: string;
  readonly objname: string;
  readonly event: string;
  readonly words: readonly string[];
}

/** An event for the testbed's own services. */
export interface ControlArguments {
  readonly kind: "control";
  readonly server: string | undefined;
  readonly port: number | undefined;
  readonly event: string;
}

interface Draft {
  experiment: string | undefined;
  keyFile: string | undefined;
  server: string | undefined;
  port: number | undefined;
  waits: boolean;
  timeoutS: number | undefined;
  isControl: boolean;
}

/** Reads the command line; the first fault ends it. */
export function parseTevcArguments(
  args: readonly string[],
): ScheduleArguments | ControlArguments | Exit {
  const draft: Draft = {
    experiment: undefined,
    keyFile: undefined,
    server: undefined,
    port: undefined,
    waits: false,
    timeoutS: undefined,
    isControl: false,
  };
  const getopt = new Getopt(args, {
    flags: "wdc",
    valued: "etskp",
    longFlags: ["help", "help-all", "version"],
    longValued: [],
  });
  const exit = getopt.takeAll<Exit>({
    flag: (name) => takeFlag(draft, name),
    valued: (name, value) => takeValue(draft, name, value),
    error: (fault) => fail(`${formatFault("tevc", fault)}\n${usage}`),
  });
  if (exit !== undefined) return exit;
  return draft.isControl ? finishControl(draft, getopt.rest) : finishSchedule(draft, getopt.rest);
}

function takeFlag(draft: Draft, name: string): Exit | undefined {
  switch (name) {
    case "w":
      draft.waits = true;
      return undefined;
    case "c":
      draft.isControl = true;
      return undefined;
    case "version":
      return { kind: "exit", code: 0, stdout: describeMuster() };
    case "help":
    case "help-all":
      return { kind: "exit", code: 0, stdout: help };
    // -d is taken and means nothing.
    default:
      return undefined;
  }
}

function takeValue(draft: Draft, name: string, value: string): Exit | undefined {
  switch (name) {
    case "e":
      draft.experiment = value;
      return undefined;
    case "k":
      draft.keyFile = value;
      return undefined;
    case "s":
      draft.server = value;
      return undefined;
    case "p":
      draft.port = scanInteger(value);
      if (draft.port !== undefined && draft.port > 0 && draft.port < 65_536) return undefined;
      return fail(`tevc: -p must be a port from 1 to 65535: ${value}\n${usage}`);
    default:
      draft.timeoutS = scanInteger(value);
      if (draft.timeoutS !== undefined && draft.timeoutS >= 0) return undefined;
      return fail(`tevc: -t must be a number of seconds: ${value}\n${usage}`);
  }
}

function finishControl({ server, port }: Draft, rest: readonly string[]): ControlArguments | Exit {
  const [event] = rest;
  if (event === undefined || rest.length !== 1) return fail(usage);
  return { kind: "control", server, port, event };
}

function finishSchedule(draft: Draft, rest: readonly string[]): ScheduleArguments | Exit {
  const { experiment, keyFile, server, port, waits, timeoutS } = draft;
  const [time, objname, event, ...words] = rest;
  if (time === undefined || objname === undefined || event === undefined) return fail(usage);
  if (experiment === undefined) return fail("Must provide pid/eid\n");
  const names = splitExperiment(experiment);
  if (names === undefined) return fail(`Malformed pid/eid: ${experiment}\n`);
  return {
    kind: "schedule",
    ...names,
    keyFile,
    server,
    port,
    waits,
    timeoutS,
    time,
    objname,
    event,
    words,
  };
}

function fail(stderr: string): Exit {
  return { kind: "exit", code: failureCode, stderr };
}
