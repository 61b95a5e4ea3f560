// SPDX-License-Identifier: MIT
// The command line of evproxy. [EMULAB-EVENTS 7.4]
import { isIP } from "node:net";
import { eventPorts, eventServerName } from "../../client/event-address.ts";
import { splitExperiment } from "../../client/event-words.ts";
import { describeMuster } from "../version.ts";
import type { Exit } from "./exit.ts";
import { formatFault, Getopt, scanInteger } from "./getopt.ts";

export const usage = `usage: evproxy [-d] [-s server] [-p port] [-i pidfile] [-v vnode] -e pid/eid
`;

const help = `${usage}
 -d           stay in the foreground, and say on standard error what happens
 -s server    where the event server is; otherwise MUSTER_EVENTS, otherwise ${eventServerName}
 -p port      its port; otherwise ${eventPorts.experiments}
 -i pidfile   holds the process id while it runs; otherwise /var/run/evproxy.pid, for root
 -v vnode     the node is this one, whose address is looked up by its name
 -e pid/eid   the experiment of the node

Options of Muster:
 --listen ADDR[:PORT]  where clients of the node connect to; otherwise 127.0.0.1:${eventPorts.experiments}
 --host ADDR           the node's control address, as events name it; otherwise NODECNETIP, or the
                       first address that is not loopback
 --help                Display this message
 --version             Print Muster's version and exit

MUSTER_TOKEN is shown to a server that asks for a token.
`;

const failureCode = 255;

export interface EvproxyArguments {
  readonly kind: "run";
  readonly foreground: boolean;
  readonly server: string | undefined;
  readonly port: number | undefined;
  readonly pidFile: string | undefined;
  readonly vnode: string | undefined;
  readonly experiment: string;
  readonly listen: { readonly host: string; readonly port: number };
  /** The node's control address. */
  readonly host: string | undefined;
}

interface Draft {
  foreground: boolean;
  server: string | undefined;
  port: number | undefined;
  pidFile: string | undefined;
  vnode: string | undefined;
  experiment: string | undefined;
  listen: { host: string; port: number };
  host: string | undefined;
}

/** Reads the command line; the first fault ends it. */
export function parseEvproxyArguments(args: readonly string[]): EvproxyArguments | Exit {
  const draft: Draft = {
    foreground: false,
    server: undefined,
    port: undefined,
    pidFile: undefined,
    vnode: undefined,
    experiment: undefined,
    listen: { host: "127.0.0.1", port: eventPorts.experiments },
    host: undefined,
  };
  const getopt = new Getopt(args, {
    flags: "d",
    valued: "spive",
    longFlags: ["help", "help-all", "version"],
    longValued: ["listen", "host"],
  });
  const exit = getopt.takeAll<Exit>({
    flag: (name) => takeFlag(draft, name),
    valued: (name, value) => takeValue(draft, name, value),
    error: (fault) => fail(`${formatFault("evproxy", fault)}\n${usage}`),
  });
  if (exit !== undefined) return exit;
  const { experiment } = draft;
  if (getopt.rest.length > 0 || experiment === undefined) return fail(usage);
  return { kind: "run", ...draft, experiment };
}

function takeFlag(draft: Draft, name: string): Exit | undefined {
  if (name === "version") return { kind: "exit", code: 0, stdout: describeMuster() };
  if (name !== "d") return { kind: "exit", code: 0, stdout: help };
  draft.foreground = true;
  return undefined;
}

function takeValue(draft: Draft, name: string, value: string): Exit | undefined {
  const wrong = setValue(draft, name, value);
  return wrong === undefined ? undefined : fail(`evproxy: ${wrong}: ${value}\n${usage}`);
}

/** @returns what is wrong with the value. */
function setValue(draft: Draft, name: string, value: string): string | undefined {
  switch (name) {
    case "s":
      draft.server = value;
      return undefined;
    case "p":
      draft.port = scanInteger(value);
      return isPort(draft.port) ? undefined : "-p must be a port from 1 to 65535";
    case "i":
      draft.pidFile = value;
      return undefined;
    case "v":
      draft.vnode = value;
      return undefined;
    case "e":
      draft.experiment = value;
      return splitExperiment(value) === undefined ? "-e must be pid/eid" : undefined;
    case "host":
      draft.host = value;
      return isIP(value) === 0 ? "--host must be an address" : undefined;
    default:
      return takeListen(draft, value);
  }
}

/** `ADDR`, `ADDR:PORT`, `[ADDR]:PORT`; port 0 for any. */
function takeListen(draft: Draft, value: string): string | undefined {
  const [, bracketed, plain, digits] = /^(?:\[(.+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(value) ?? [];
  const host = bracketed ?? plain ?? "";
  const port = digits === undefined ? eventPorts.experiments : Number(digits);
  draft.listen = { host, port };
  return isIP(host) !== 0 && port <= 65_535
    ? undefined
    : "--listen must be ADDRESS or ADDRESS:PORT";
}

function isPort(port: number | undefined): boolean {
  return port !== undefined && port > 0 && port < 65_536;
}

function fail(stderr: string): Exit {
  return { kind: "exit", code: failureCode, stderr };
}
