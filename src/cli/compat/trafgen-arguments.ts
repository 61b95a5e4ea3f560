// SPDX-License-Identifier: MIT
// The command line of trafgen. [EMULAB-EVENTS 6]
import type { Endpoint } from "../../testbed/agents/trafgen/traffic-messages.ts";
import { type Exit, helpFor } from "./exit.ts";
import { formatFault, Getopt } from "./getopt.ts";

export const usage = `usage: trafgen [-s server] [-p port] [-l logfile] [-k keyfile] [-P udp|tcp] [-R role]
               [-S srcip.port] -T dstip.port -N name -E pid/eid
 -s server      Host of the bus (localhost)
 -p port        Port of the bus
 -l logfile     Append there what happens, instead of printing it
 -k keyfile     Key of the experiment
 -N name        Name of the generator, as events have it
 -S srcip.port  Where packets come from (any)
 -T dstip.port  Where packets go
 -P udp|tcp     Protocol (udp)
 -R role        server or sink receives at -T; anything else sends to it
 -E pid/eid     The experiment
`;

export interface TrafgenArguments {
  readonly kind: "run";
  readonly server: string;
  readonly port: number | undefined;
  readonly logFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly name: string;
  /** Address and port 0: any. */
  readonly source: Endpoint;
  readonly sink: Endpoint;
  readonly protocol: "udp" | "tcp";
  readonly role: "source" | "sink";
  /** `pid/eid` */
  readonly experiment: string;
}

export const failureCode = 1;
const anywhere: Endpoint = { address: "0.0.0.0", port: 0 };

/** Reads the command line; the first fault ends it. */
export function parseTrafgenArguments(args: readonly string[]): TrafgenArguments | Exit {
  const help = helpFor(args, usage);
  if (help !== undefined) return help;
  const given = new Map<string, string>();
  const getopt = new Getopt(args, {
    ...{ flags: "h", valued: "splNSTPREk", longFlags: [], longValued: [] },
  });
  const exit = getopt.takeAll<Exit>({
    flag: () => ({ kind: "exit", code: failureCode, stderr: usage }),
    valued: (name, value) => void given.set(name, value),
    error: (fault) => misused(formatFault("trafgen", fault)),
  });
  if (exit !== undefined) return exit;
  if (getopt.rest.length > 0) return fail(`too many arguments: ${getopt.rest.join(" ")}`);
  const [name, experiment, to] = [given.get("N"), given.get("E"), given.get("T")];
  if (name === undefined || experiment === undefined || to === undefined) {
    return fail("-N, -T and -E are required");
  }
  if (!/^[\w.:-]+$/.test(name)) return fail(`bad name: ${name}`);
  if (!/^[^/\s]+\/[^/\s]+$/.test(experiment)) return fail(`bad pid/eid: ${experiment}`);
  const sink = readEndpoint(to);
  if (sink === undefined || sink.port === 0) return fail(`bad -T, it is ADDRESS.PORT: ${to}`);
  const from = given.get("S");
  const source = from === undefined ? anywhere : readEndpoint(from);
  if (source === undefined) return fail(`bad -S, it is ADDRESS.PORT: ${from}`);
  const port = given.get("p");
  if (port !== undefined && !isPort(port)) return fail(`bad port: ${port}`);
  const protocol = (given.get("P") ?? "udp").toLowerCase();
  if (protocol !== "udp" && protocol !== "tcp") return fail(`bad -P, udp or tcp: ${protocol}`);
  return {
    ...{ kind: "run", name, experiment, source, sink, protocol },
    server: given.get("s") ?? "localhost",
    port: port === undefined ? undefined : Number(port),
    logFile: given.get("l"),
    keyFile: given.get("k"),
    role: ["server", "sink"].includes(given.get("R") ?? "") ? "sink" : "source",
  };
}

/** `ADDRESS.PORT`: the last dot is the one before the port. */
function readEndpoint(text: string): Endpoint | undefined {
  const [, address = "", port = ""] = /^(\d+(?:\.\d+){3})\.(\d{1,5})$/.exec(text) ?? [];
  const isAddress = address.split(".").every((part) => part.length <= 3 && Number(part) <= 255);
  if (address === "" || !isAddress || Number(port) > 65_535) return undefined;
  return { address, port: Number(port) };
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535;
}

function fail(why: string): Exit {
  return misused(`trafgen: ${why}`);
}

function misused(complaint: string): Exit {
  return { kind: "exit", code: failureCode, stderr: `${complaint}\n${usage}` };
}
