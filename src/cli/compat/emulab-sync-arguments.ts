// SPDX-License-Identifier: MIT
// The command line of emulab-sync: texts and exit codes of the old client byte for byte.
// [EMULAB-SYNC 4] What is ours is behind long options only.
import { toWireName } from "../../client/emulab-sync.ts";
import { clientErrorMax } from "../../wire/emulab-sync/index.ts";
import { describeVersion, standaloneText } from "../version.ts";
import type { Exit } from "./exit.ts";
import { formatFault, Getopt, scanInteger } from "./getopt.ts";

export const exitCodes = {
  notMaster: 1,
  noPort: 1,
  usage: 64,
  unknownHost: 68,
  protocol: 76,
  /** Ours, above what a barrier can answer (0 to 240), so that they mean one thing only. */
  timeout: 241,
  noServer: 242,
} as const;

export const usage = `usage: emulab-sync [options]
 -h              Display this message
 -V              Print version information and exit
 -n name         Optional barrier name; must be less than 64 bytes long
 -d              Turn on debugging
 -s server       Specify a sync server to connect to
 -p portnum      Specify a port number to connect to
 -i count        Increase the barrier value by 'count' waiters
 -a              Master returns immediately when initializing barrier
 -u              Use UDP instead of TCP
 -e errornum     Signal an error (must be zero or >= 32)
 -m              Test whether or not this is the 'master' node

`;

const longUsage = `Options of Muster:
 --timeout S           Stop waiting after S seconds, say who is missing as far
                       as known, or that no server answered, and exit with
                       status ${exitCodes.timeout}
 --wait-for-server S   Stop looking for the server after S seconds and exit
                       with status ${exitCodes.noServer} (otherwise: look for ever)
 --json                Print the outcome, whatever it is, as one JSON object on
                       standard output
 --version             Print version information, Muster's too, and exit
 --help, --help-all    Display this message

-e takes 0 to ${clientErrorMax}. "Zero or >= 32" above is the advice of the old client, to stay
clear of the codes that a shell and its programs use; it never was checked.

Exit status: 0 crossed; 1 to 239 the largest error brought to the barrier, or
1 not master, 64 usage, 68 unknown host, 76 protocol failure; 240 the barriers
were cleared; ${exitCodes.timeout} --timeout; ${exitCodes.noServer} --wait-for-server; 128 and the number of the
signal when one ends the command under --json.
`;

/** A command line without a fault. */
export interface SyncArguments {
  readonly kind: "run";
  /** As given, for messages. */
  readonly name: string;
  readonly wireName: string;
  readonly debug: boolean;
  readonly server: string | undefined;
  readonly port: number | undefined;
  /** Absent: wait. */
  readonly initCount: number | undefined;
  readonly waits: boolean;
  readonly transport: "tcp" | "udp";
  readonly error: number;
  readonly testMaster: boolean;
  readonly timeoutS: number | undefined;
  readonly waitForServerS: number | undefined;
  readonly json: boolean;
}

/** A command line that leads to no arrival. */
export type NoArrival =
  /** Help or the version, as asked for. */
  | { readonly kind: "information"; readonly exit: Exit }
  /** A fault; `soFar` is what was read before it. */
  | { readonly kind: "usage"; readonly exit: Exit; readonly soFar: SyncArguments };

type Draft = { -readonly [Key in keyof SyncArguments]: SyncArguments[Key] };

const countMax = 2_147_483_647;

/** Reads the command line; the first fault ends it, as in the old client. */
export function parseSyncArguments(args: readonly string[]): SyncArguments | NoArrival {
  const draft: Draft = {
    kind: "run",
    name: "barrier",
    wireName: "barrier",
    debug: false,
    server: undefined,
    port: undefined,
    initCount: undefined,
    waits: true,
    transport: "tcp",
    error: 0,
    testMaster: false,
    timeoutS: undefined,
    waitForServerS: undefined,
    json: false,
  };
  const getopt = new Getopt(args, {
    flags: "hVdaum",
    valued: "nspie",
    longFlags: ["json", "version", "help", "help-all"],
    longValued: ["timeout", "wait-for-server"],
  });
  const exit = takeAll(draft, getopt);
  if (exit === undefined) return draft;
  return exit.code === 0 ? { kind: "information", exit } : { kind: "usage", exit, soFar: draft };
}

function takeAll(draft: Draft, getopt: Getopt): Exit | undefined {
  const exit = getopt.takeAll<Exit>({
    flag: (name) => takeFlag(draft, name),
    valued: (name, value) => takeValue(draft, name, value),
    error: (fault) => fail(formatFault("emulab-sync", fault)),
  });
  if (exit !== undefined) return exit;
  if (getopt.rest.length > 0) {
    return fail(`Error: Unrecognized command line arguments: ${getopt.rest.join(" ")}`);
  }
  if (!draft.waits && draft.initCount === undefined) {
    return fail("Error: -a requires the -i option");
  }
  return undefined;
}

function takeFlag(draft: Draft, name: string): Exit | undefined {
  switch (name) {
    case "h":
      return { kind: "exit", code: 0, stderr: usage };
    case "V":
      return { kind: "exit", code: 0, stdout: standaloneText };
    case "version":
      return { kind: "exit", code: 0, stdout: describeVersion() };
    case "help":
    case "help-all":
      return { kind: "exit", code: 0, stdout: usage + longUsage };
    case "d":
      draft.debug = true;
      return undefined;
    case "a":
      draft.waits = false;
      return undefined;
    case "u":
      draft.transport = "udp";
      return undefined;
    case "m":
      draft.testMaster = true;
      return undefined;
    default:
      draft.json = true;
      return undefined;
  }
}

function takeValue(draft: Draft, name: string, value: string): Exit | undefined {
  switch (name) {
    case "n":
      return takeName(draft, value);
    case "s":
      if (value === "") return fail("Error: -s value is empty");
      draft.server = value;
      return undefined;
    case "p":
      return takePort(draft, value);
    case "i":
      return takeCount(draft, value);
    case "e":
      return takeError(draft, value);
    default:
      return takeSeconds(draft, name, value);
  }
}

function takeName(draft: Draft, value: string): Exit | undefined {
  if (value === "") return fail("Error: -n value is empty");
  const wireName = toWireName(value);
  if (wireName === undefined) return fail(`Error: -n value is too long: ${value}`);
  draft.name = value;
  draft.wireName = wireName;
  return undefined;
}

function takePort(draft: Draft, value: string): Exit | undefined {
  const port = scanInteger(value);
  if (port === undefined) return fail(`Error: -p value is not a number: ${value}`);
  if (port <= 0 || port >= 65_536) {
    return fail(`Error: -p value is not between 0 and 65536: ${port}`);
  }
  draft.port = port;
  return undefined;
}

function takeCount(draft: Draft, value: string): Exit | undefined {
  const count = scanInteger(value);
  if (count === undefined) return fail(`Error: -i value is not a number: ${value}`);
  if (count <= 0) return fail(`Error: -i value must be greater than zero: ${value}`);
  // The old client took what was left of such a number after 32 bits.
  if (count > countMax) return fail(`Error: -i value must be at most ${countMax}: ${value}`);
  draft.initCount = count;
  return undefined;
}

function takeError(draft: Draft, value: string): Exit | undefined {
  const error = scanInteger(value);
  if (error === undefined) return fail(`Error: -e value is not a number: ${value}`);
  if (error < 0 || error > clientErrorMax) {
    return fail("Error: -e value must be zero or less than 240");
  }
  draft.error = error;
  return undefined;
}

function takeSeconds(draft: Draft, name: string, value: string): Exit | undefined {
  const seconds = Number(value);
  if (!/^[0-9.]+$/.test(value) || !(seconds > 0) || seconds > 2_000_000) {
    return fail(
      `Error: --${name} value must be a number of seconds from 0.001 to 2000000: ${value}`,
    );
  }
  if (name === "timeout") draft.timeoutS = seconds;
  else draft.waitForServerS = seconds;
  return undefined;
}

/** A usage error: its text, then the usage. */
export function fail(text: string): Exit {
  return { kind: "exit", code: exitCodes.usage, stderr: `${text}\n${usage}` };
}
