// SPDX-License-Identifier: MIT
// The command line of eventdebug. [EMULAB-EVENTS 7.6] Unlike the old one, `-b` takes no word with
// it, and does what it says (fault 32).
import { eventPorts } from "../../client/event-address.ts";
import { splitExperiment } from "../../client/event-words.ts";
import { describeMuster } from "../version.ts";
import type { Exit } from "./exit.ts";
import { formatFault, Getopt, scanInteger } from "./getopt.ts";

export const usage = `usage: eventdebug [-b] [-s server] [-p port] [pid/eid]
`;

const help = `${usage}
 -b           the bus of the testbed's own services, port ${eventPorts.testbed}
 -s server    where the bus is; otherwise localhost
 -p port      its port; otherwise ${eventPorts.experiments}. Goes before -b
 pid/eid      show the events of this experiment only

Options of Muster:
 --scheduled  Show requests to schedulers, too
 --no-args    Leave out the arguments of events, as the old program did
 --json       Print one JSON object a line
 --help       Display this message
 --version    Print Muster's version and exit
`;

export interface EventdebugArguments {
  readonly kind: "run";
  readonly server: string | undefined;
  readonly port: number | undefined;
  /** The bus of the testbed's own services. */
  readonly isTestbed: boolean;
  readonly experiment: string | undefined;
  readonly scheduled: boolean;
  readonly showsArgs: boolean;
  readonly json: boolean;
}

interface Draft {
  isTestbed: boolean;
  server: string | undefined;
  port: number | undefined;
  scheduled: boolean;
  showsArgs: boolean;
  json: boolean;
}

/** Reads the command line; the first fault ends it. */
export function parseEventdebugArguments(args: readonly string[]): EventdebugArguments | Exit {
  const draft: Draft = {
    isTestbed: false,
    server: undefined,
    port: undefined,
    scheduled: false,
    showsArgs: true,
    json: false,
  };
  const getopt = new Getopt(args, {
    flags: "bh",
    valued: "sp",
    longFlags: ["scheduled", "no-args", "json", "help", "help-all", "version"],
    longValued: [],
  });
  const exit = getopt.takeAll<Exit>({
    flag: (name) => takeFlag(draft, name),
    valued: (name, value) => takeValue(draft, name, value),
    error: (fault) => fail(`${formatFault("eventdebug", fault)}\n${usage}`),
  });
  if (exit !== undefined) return exit;
  const [experiment, ...more] = getopt.rest;
  if (more.length > 0) return fail(usage);
  if (experiment !== undefined && splitExperiment(experiment) === undefined) {
    return fail(`eventdebug: the experiment must be pid/eid: ${experiment}\n${usage}`);
  }
  return { kind: "run", ...draft, experiment };
}

function takeFlag(draft: Draft, name: string): Exit | undefined {
  switch (name) {
    case "b":
      draft.isTestbed = true;
      return undefined;
    case "scheduled":
      draft.scheduled = true;
      return undefined;
    case "no-args":
      draft.showsArgs = false;
      return undefined;
    case "json":
      draft.json = true;
      return undefined;
    case "version":
      return { kind: "exit", code: 0, stdout: describeMuster() };
    case "h":
      return fail(usage);
    default:
      return { kind: "exit", code: 0, stdout: help };
  }
}

function takeValue(draft: Draft, name: string, value: string): Exit | undefined {
  if (name === "s") {
    draft.server = value;
    return undefined;
  }
  draft.port = scanInteger(value);
  if (draft.port !== undefined && draft.port > 0 && draft.port < 65_536) return undefined;
  return fail(`eventdebug: -p must be a port from 1 to 65535: ${value}\n${usage}`);
}

function fail(stderr: string): Exit {
  return { kind: "exit", code: 1, stderr };
}
