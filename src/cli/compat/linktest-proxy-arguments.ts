// SPDX-License-Identifier: MIT
// The command line of linktest.proxy. [LINKTEST 10]
import { type ExperimentName, parseExperiment } from "../../events/launch/index.ts";
import { Getopt, scanInteger } from "./getopt.ts";

export interface LinktestProxyArguments {
  readonly user: string;
  readonly group: string;
  readonly projectGroup: string;
  readonly experiment: ExperimentName;
  readonly level: number;
  /** Seconds; 0: however long it takes. */
  readonly timeoutS: number;
  readonly debug: number;
  readonly logFile: string;
  readonly reportOnly: boolean;
  readonly keyFile: string | undefined;
  /** Instead of the command of this installation. */
  readonly runLinktest: string | undefined;
}

export type LinktestProxyLine =
  | { readonly kind: "arguments"; readonly value: LinktestProxyArguments }
  | { readonly kind: "help" }
  | { readonly kind: "misused"; readonly complaint: string };

export const linktestProxyUsage: string =
  "Usage: linktest.proxy [-d level] [-t seconds] [-r] -l level -u user -g gid [-p pid-group]\n" +
  "                      -e pid/eid -o logfile\n";

export const linktestProxyLongUsage: string =
  `${linktestProxyUsage}` +
  "  --key FILE               key of the experiment (tbdata/eventkey of it)\n" +
  "  --run-linktest PROGRAM   what is run as the user (run_linktest)\n";

const options = {
  flags: "r",
  valued: "dtlgpueo",
  longFlags: ["help"],
  longValued: ["key", "run-linktest"],
};

export function parseLinktestProxy(argv: readonly string[]): LinktestProxyLine {
  const getopt = new Getopt(argv, options);
  const given = getopt.readAll("linktest.proxy");
  if (typeof given === "string") return misused(given);
  if (given.has("help")) return { kind: "help" };
  if (getopt.rest.length > 0) return misused(`${getopt.rest.join(" ")}: it takes options only`);
  for (const letter of "lugeo") {
    if ((given.get(letter) ?? "") === "") return misused(`-${letter} is needed`);
  }
  const text = (name: string): string => given.get(name) ?? "";
  const experiment = parseExperiment(text("e"));
  if (experiment === undefined) return misused("-e takes pid/eid");
  const number = (name: string, preset: number): number =>
    given.has(name) ? (scanInteger(text(name)) ?? Number.NaN) : preset;
  const [level, timeoutS, debug] = [number("l", 0), number("t", 0), number("d", 0)];
  if (!(level >= 1 && level <= 4)) return misused(`-l is 1 to 4, not ${text("l")}`);
  if (!(timeoutS >= 0)) return misused(`-t takes seconds, not ${text("t")}`);
  if (!(debug >= 0)) return misused(`-d takes a number, not ${text("d")}`);
  for (const name of ["o", "key", "run-linktest"]) {
    const path = given.get(name);
    if (path === undefined || path.startsWith("/")) continue;
    return misused(`-${name.length > 1 ? "-" : ""}${name} takes an absolute path, not ${path}`);
  }
  const value: LinktestProxyArguments = {
    ...{ experiment, level, timeoutS, debug, user: text("u"), group: text("g") },
    projectGroup: given.get("p") ?? text("g"),
    ...{ logFile: text("o"), reportOnly: given.has("r") },
    ...{ keyFile: given.get("key"), runLinktest: given.get("run-linktest") },
  };
  return { kind: "arguments", value };
}

function misused(complaint: string): LinktestProxyLine {
  return { kind: "misused", complaint };
}
