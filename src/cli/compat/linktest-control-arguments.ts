// SPDX-License-Identifier: MIT
// The command line of linktest_control. [LINKTEST 10]
import type { LinktestLevel } from "../../experiment/model.ts";
import { Getopt, scanInteger } from "./getopt.ts";

export interface LinktestControlArguments {
  /** `pid/eid` */
  readonly experiment: string;
  /** Undefined: as the experiment has it. */
  readonly level: LinktestLevel | undefined;
  /** Seconds; 0: however long it takes. */
  readonly timeoutS: number;
  /** What is said goes there, from the background. */
  readonly outputFile: string | undefined;
  readonly mails: boolean;
  readonly reportOnly: boolean;
  readonly kills: boolean;
  readonly state: string | undefined;
}

export type LinktestControlLine =
  | { readonly kind: "arguments"; readonly value: LinktestControlArguments }
  | { readonly kind: "help" }
  | { readonly kind: "misused"; readonly complaint: string };

export const linktestControlUsage: string =
  "Usage: linktest_control [-l level] [-t seconds] [-o file] [-m] [-r] [-f] [-d] pid eid\n" +
  "       linktest_control -k pid eid\n" +
  "  -l level     last stage: 1 latency, 2 routing, 3 loss, 4 bandwidth; 0 tests nothing\n" +
  "               (as the experiment has it)\n" +
  "  -t seconds   end it after so long\n" +
  "  -o file      from the background, in a session of its own; what it says goes there\n" +
  "  -m           mail who swapped in, and who keeps the testbed, when it ends with an error\n" +
  "  -r           report figures, judge nothing\n" +
  "  -k           end the one that goes on\n" +
  "  -f, -d       taken, without effect: every node can be tested, all is said\n" +
  "  --state DIR  where the experiments are kept\n" +
  "Exit status: that of run_linktest (nodes with errors; 1 also for whatever else went wrong), or\n" +
  "255 when it was not run\n";

export function parseLinktestControl(argv: readonly string[]): LinktestControlLine {
  const getopt = new Getopt(argv, {
    ...{ flags: "mrfkd", valued: "lto", longFlags: ["help"], longValued: ["state"] },
  });
  const given = getopt.readAll("linktest_control");
  if (typeof given === "string") return misused(given);
  if (given.has("help")) return { kind: "help" };
  const [pid = "", eid = "", ...more] = getopt.rest;
  const isName = (name: string): boolean => /^\w[\w-]*$/.test(name);
  if (!isName(pid) || !isName(eid) || more.length > 0) return misused("name pid and eid");
  const level = ([0, 1, 2, 3, 4] as const).find((one) => String(one) === given.get("l"));
  if (given.has("l") && level === undefined) return misused(`-l is 0 to 4, not ${given.get("l")}`);
  const timeoutS = given.has("t") ? (scanInteger(given.get("t") ?? "") ?? Number.NaN) : 0;
  // What the timers of the platform can wait is 24 days.
  if (!(timeoutS >= 0 && timeoutS <= 2_000_000)) {
    return misused(`-t takes seconds, not ${given.get("t")}`);
  }
  const kills = given.has("k");
  const stray = ["l", "t", "o", "m", "r"].filter((letter) => given.has(letter));
  if (kills && stray.length > 0) return misused(`-${stray[0]} is not for -k`);
  const value: LinktestControlArguments = {
    ...{ experiment: `${pid}/${eid}`, level, timeoutS, kills, state: given.get("state") },
    ...{ outputFile: given.get("o"), mails: given.has("m"), reportOnly: given.has("r") },
  };
  return { kind: "arguments", value };
}

function misused(complaint: string): LinktestControlLine {
  return { kind: "misused", complaint };
}
