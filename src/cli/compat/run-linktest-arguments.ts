// SPDX-License-Identifier: MIT
// The command line of run_linktest. [LINKTEST 9]
import { Getopt, scanInteger } from "./getopt.ts";

export interface RunLinktestArguments {
  readonly experiment: string;
  readonly startAt: number;
  readonly stopAt: number;
  /** 0: however long it takes. */
  readonly timeoutS: number;
  readonly reportOnly: boolean;
  readonly verbose: boolean;
  readonly debug: number;
  readonly server: string | undefined;
  readonly port: number | undefined;
  readonly keyFile: string | undefined;
  readonly logFile: string | undefined;
  /** Root may, whose own experiment it is. */
  readonly asRoot: boolean;
}

export type RunLinktestLine =
  | { readonly kind: "arguments"; readonly value: RunLinktestArguments }
  | { readonly kind: "help" }
  | { readonly kind: "misused"; readonly complaint: string };

export const runLinktestUsage: string =
  "Usage: run_linktest [-q] [-r] [-v] [-d level] [-N] [-l stop] [-L start] [-t seconds]\n" +
  "                    [-s server] [-p port] [-k keyfile] [-o logfile] -e pid/eid\n" +
  "  -l level     last stage: 1 latency, 2 routing, 3 loss, 4 bandwidth (4)\n" +
  "  -L level     first stage (1)\n" +
  "  -q           no bandwidth: the last stage is 3 at most\n" +
  "  -t seconds   end it after so long\n" +
  "  -r           report figures, judge nothing\n" +
  "  -v           say what goes on; -d 1 or more does so, too\n" +
  "  -o logfile   errors go there as well; removed when there are none\n" +
  "  --as-root    of root's own experiment: go on as root\n" +
  "Exit status: the number of nodes with errors, 255 at most; 1 also for whatever else goes wrong\n";

export function parseRunLinktest(argv: readonly string[]): RunLinktestLine {
  const options = { flags: "qrvN", valued: "elLtdspko" };
  const getopt = new Getopt(argv, {
    ...options,
    longFlags: ["help", "help-all", "as-root"],
    longValued: [],
  });
  const given = getopt.readAll("run_linktest");
  if (typeof given === "string") return misused(given);
  if (given.has("help") || given.has("help-all")) return { kind: "help" };
  if (getopt.rest.length > 0) return misused(`${getopt.rest.join(" ")}: it takes options only`);
  const experiment = given.get("e");
  if (experiment === undefined) return misused("-e pid/eid is needed");
  const number = (name: string, preset: number): number => {
    const text = given.get(name);
    return text === undefined ? preset : (scanInteger(text) ?? Number.NaN);
  };
  const [startAt, last, timeoutS] = [number("L", 1), number("l", 4), number("t", 0)];
  const stopAt = given.has("q") ? Math.min(3, last) : last;
  for (const [name, value] of [["L", startAt] as const, ["l", last] as const]) {
    if (!(value >= 1 && value <= 4)) return misused(`-${name} is 1 to 4, not ${given.get(name)}`);
  }
  if (startAt > stopAt) return misused(`-L ${startAt} is behind the last stage, ${stopAt}`);
  if (!(timeoutS >= 0)) return misused(`-t takes seconds, not ${given.get("t")}`);
  const port = given.has("p") ? number("p", 0) : undefined;
  if (port !== undefined && !(port > 0 && port < 65_536)) return misused("-p takes a port");
  const value: RunLinktestArguments = {
    ...{ experiment, startAt, stopAt, timeoutS, port, debug: number("d", 0) },
    ...{ reportOnly: given.has("r"), verbose: given.has("v"), asRoot: given.has("as-root") },
    ...{ server: given.get("s"), keyFile: given.get("k"), logFile: given.get("o") },
  };
  return { kind: "arguments", value };
}

function misused(complaint: string): RunLinktestLine {
  return { kind: "misused", complaint };
}
