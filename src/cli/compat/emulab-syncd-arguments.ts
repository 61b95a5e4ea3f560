// SPDX-License-Identifier: MIT
// The command line of emulab-syncd: texts and exit codes of the old daemon byte for byte.
// [EMULAB-SYNC 1] What is ours is behind long options only.
import { isIP } from "node:net";
import { resolve } from "node:path";
import { defaultLimits, type Limits } from "../../core/limits.ts";
import { boundMax, defaultBounds, type SyncdBounds } from "../../edges/syncd/bounds.ts";
import { type Network, parseNetwork } from "../../wire/networks.ts";
import { describeVersion, standaloneText } from "../version.ts";
import type { Exit } from "./exit.ts";
import { formatFault, Getopt, scanInteger } from "./getopt.ts";

export const usage = `usage: emulab-syncd [-d] [-p #]
 -h              Display this message
 -V              Print version information and exit
 -d              Do not daemonize.
 -v              Turn on verbose logging
 -l logfile      Specify log file instead of syslog
 -p portnum      Specify a port number to listen on

`;

const longUsage = `Options of Muster:
 --listen ADDRESS      Listen on this address (repeatable). Without it only on
                       127.0.0.1; 0.0.0.0 is what the old daemon did
 --allow ADDRESS[/N]   Only these hosts or networks may use the barriers
                       (repeatable); without it whoever can reach the port may
 --tls DIR             TCP clients speak TLS, with a certificate of this directory
                       (muster cert); UDP, which has none, is not served
 --client-certs        With --tls: clients must show a certificate of its
                       authority
 --log LOG             Where the barriers are kept: memory (default) or
                       sqlite:FILE, which outlives a crash of the server
 --foreground          Do not daemonize, and do not turn on verbose logging
 --pidfile FILE        Write the process id there; without it, as root, to
                       /var/run/syncd.pid
 --register COMMAND    Run COMMAND with the arguments emulab_syncd PORT when the
                       server listens, e.g. "tmcc -i portregister"; if that
                       fails the server ends
 --limit NAME=VALUE    Set a limit; the text of a refusal names it, and an
                       unknown name lists all
 --version             Print version information, Muster's too, and exit
 --help, --help-all    Display this message

Signals: USR1 verbose on, USR2 verbose off (once each); HUP answer 240 to every
waiter; PWR list all barriers in the log; TERM, INT end.
Exit status: 0 ended in order; 1 usage or any other error.
`;

export interface SyncdArguments {
  readonly kind: "run";
  readonly foreground: boolean;
  readonly verbose: boolean;
  readonly logFile: string | undefined;
  /** Where barriers are kept, as `openLog` takes it. */
  readonly log: string;
  readonly port: number | undefined;
  readonly listen: readonly string[];
  /** Who may use the barriers; everybody when empty. */
  readonly allow: readonly Network[];
  /** Directory of certificates. */
  readonly tls: string | undefined;
  readonly clientCerts: boolean;
  readonly pidFile: string | undefined;
  readonly register: string | undefined;
  readonly limits: Partial<Limits>;
  readonly bounds: Partial<SyncdBounds>;
}

interface Draft {
  foreground: boolean;
  verbose: boolean;
  logFile: string | undefined;
  log: string;
  port: number | undefined;
  readonly listen: string[];
  readonly allow: Network[];
  tls: string | undefined;
  clientCerts: boolean;
  pidFile: string | undefined;
  register: string | undefined;
  readonly limits: Record<string, number>;
  readonly bounds: Record<string, number>;
}

/** Reads the command line; the first fault ends it, as in the old daemon. */
export function parseSyncdArguments(args: readonly string[]): SyncdArguments | Exit {
  const draft: Draft = {
    foreground: false,
    verbose: false,
    logFile: undefined,
    log: "memory",
    port: undefined,
    listen: [],
    allow: [],
    tls: undefined,
    clientCerts: false,
    pidFile: undefined,
    register: undefined,
    limits: {},
    bounds: {},
  };
  const getopt = new Getopt(args, {
    flags: "hVdv",
    valued: "lp",
    longFlags: ["foreground", "client-certs", "version", "help", "help-all"],
    longValued: ["listen", "allow", "tls", "log", "pidfile", "register", "limit"],
  });
  const exit = getopt.takeAll<Exit>({
    flag: (name) => takeFlag(draft, name),
    valued: (name, value) => takeValue(draft, name, value),
    error: (fault) => fail(formatFault("emulab-syncd", fault)),
  });
  if (exit !== undefined) return exit;
  if (getopt.rest.length > 0) {
    return fail(`Error: Unrecognized command line arguments: ${getopt.rest.join(" ")}`);
  }
  if (draft.clientCerts && draft.tls === undefined) {
    return fail("Error: --client-certs needs --tls DIR");
  }
  return { kind: "run", ...draft };
}

function takeFlag(draft: Draft, name: string): Exit | undefined {
  switch (name) {
    case "h":
      return { kind: "exit", code: 1, stderr: usage };
    case "V":
      return { kind: "exit", code: 0, stdout: standaloneText };
    case "version":
      return { kind: "exit", code: 0, stdout: describeVersion() };
    case "help":
    case "help-all":
      return { kind: "exit", code: 0, stdout: usage + longUsage };
    case "d":
      draft.foreground = true;
      draft.verbose = true;
      return undefined;
    case "v":
      draft.verbose = true;
      return undefined;
    case "client-certs":
      draft.clientCerts = true;
      return undefined;
    default:
      draft.foreground = true;
      return undefined;
  }
}

function takeValue(draft: Draft, name: string, value: string): Exit | undefined {
  switch (name) {
    case "p":
      return takePort(draft, value);
    case "l":
      draft.logFile = value;
      return undefined;
    case "log":
      draft.log = value;
      return undefined;
    case "pidfile":
      draft.pidFile = value;
      return undefined;
    case "register":
      draft.register = value;
      return undefined;
    case "listen":
      if (isIP(value) === 0) return fail(`Error: --listen value is not an address: ${value}`);
      draft.listen.push(value);
      return undefined;
    case "allow":
      return takeAllow(draft, value);
    case "tls":
      draft.tls = resolve(value);
      return undefined;
    default:
      return takeLimit(draft, value);
  }
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

function takeAllow(draft: Draft, value: string): Exit | undefined {
  const network = parseNetwork(value);
  if (network === undefined) {
    return fail(`Error: --allow value is not ADDRESS or ADDRESS/BITS: ${value}`);
  }
  draft.allow.push(network);
  return undefined;
}

function takeLimit(draft: Draft, value: string): Exit | undefined {
  const [name = "", text = ""] = value.split("=", 2);
  const number = Number(text);
  const isBound = isBoundName(name);
  if (!isBound && !Object.hasOwn(defaultLimits, name)) {
    const known = Object.keys({ ...defaultLimits, ...defaultBounds }).join(", ");
    return fail(`Error: --limit knows no ${name}; the limits are ${known}`);
  }
  if (!Number.isSafeInteger(number) || number <= 0) {
    return fail(`Error: --limit ${name} value is not a positive number: ${text}`);
  }
  if (isBound && number > boundMax[name]) {
    return fail(`Error: --limit ${name} value must be at most ${boundMax[name]}: ${text}`);
  }
  (isBound ? draft.bounds : draft.limits)[name] = number;
  return undefined;
}

function isBoundName(name: string): name is keyof SyncdBounds {
  return Object.hasOwn(defaultBounds, name);
}

function fail(text: string): Exit {
  return { kind: "exit", code: 1, stderr: `${text}\n${usage}` };
}
