// SPDX-License-Identifier: MIT
// The command line of eventsys.proxy. [EMULAB-EVENTS 7.5]
import {
  defaultRunDirectory,
  type ExperimentName,
  type LaunchAction,
  launchActions,
  parseExperiment,
} from "../../events/launch/index.ts";
import { Getopt } from "./getopt.ts";

export interface ProxyArguments {
  readonly action: LaunchAction;
  readonly user: string;
  readonly group: string;
  readonly projectGroup: string;
  readonly experiment: ExperimentName;
  readonly keyFile: string;
  readonly logFile: string;
  readonly recordFile: string | undefined;
  /** Start a program agent on ops as well. */
  readonly opsAgent: boolean;
  readonly debug: boolean;
  readonly runDirectory: string;
  /** Instead of the commands of this installation. */
  readonly scheduler: string | undefined;
  readonly tevc: string | undefined;
  readonly agent: string | undefined;
  /** Go on from the plan, although none has died on this machine. */
  readonly goesOn?: boolean;
  /** Options of event-sched that say where boss is, and the plan. */
  readonly passedOn?: readonly string[];
}

export const proxyUsage: string =
  "Usage: eventsys.proxy -u user -g gid [-p pid-group] -e pid/eid -k keyfile -l logfile\n" +
  "                      [-t recordfile] [-a] [-d] [-N] start|stop|replay\n";

export const proxyLongUsage: string =
  `${proxyUsage}` +
  "  --rundir DIR         pid files, where only root can write (/var/run/emulab/evsched)\n" +
  "  --scheduler PROGRAM  what is started (event-sched)\n" +
  "  --agent PROGRAM      what -a starts besides (program-agent)\n" +
  "  --tevc PROGRAM       what tells a scheduler that it is about to be stopped (tevc)\n" +
  "  --boss HOST  --boss-port N  --cert FILE  --ca FILE   as of event-sched\n" +
  "  --plan NATS  --nats-creds FILE                       as of event-sched\n" +
  "  --continue           with start and --plan: go on from the plan of another machine\n";

export type ProxyCommandLine =
  | { readonly kind: "arguments"; readonly value: ProxyArguments }
  | { readonly kind: "help" }
  | { readonly kind: "misused"; readonly complaint: string };

const passedOnNames = ["boss", "boss-port", "cert", "ca", "plan", "nats-creds"];
const options = {
  flags: "adN",
  valued: "ugpeklt",
  longFlags: ["help", "continue"],
  longValued: ["rundir", "scheduler", "agent", "tevc", ...passedOnNames],
};

export function parseProxyArguments(argv: readonly string[]): ProxyCommandLine {
  const getopt = new Getopt(argv, options);
  const given = getopt.readAll("eventsys.proxy");
  if (typeof given === "string") return misused(given);
  if (given.has("help")) return { kind: "help" };
  const [word, ...more] = getopt.rest;
  const action = launchActions.find((one) => one === word);
  if (action === undefined || more.length > 0) return misused("name one of start, stop, replay");
  for (const letter of "ugekl") {
    if ((given.get(letter) ?? "") === "") return misused(`-${letter} is needed`);
  }
  const experiment = parseExperiment(given.get("e") ?? "");
  if (experiment === undefined) return misused("-e takes pid/eid");
  const ownPaths = ["k", "l", "t", "rundir", "scheduler", "agent", "tevc"];
  const paths = [...ownPaths, "cert", "ca", "nats-creds"];
  for (const name of paths) {
    const path = given.get(name);
    if (path !== undefined && !path.startsWith("/")) {
      return misused(`-${name.length > 1 ? "-" : ""}${name} takes an absolute path, not ${path}`);
    }
  }
  const text = (name: string): string => given.get(name) ?? "";
  if (given.has("continue") && !(action === "start" && given.has("plan"))) {
    return misused("--continue goes with start and --plan");
  }
  const plan = given.get("plan") ?? "/";
  if (!plan.startsWith("/") && !plan.startsWith("nats:")) {
    return misused(`--plan takes nats://HOST:PORT[/STREAM] or an absolute path, not ${plan}`);
  }
  const passedOn = passedOnNames.flatMap((name) => {
    const value = given.get(name);
    return value === undefined ? [] : [`--${name}`, value];
  });
  const value: ProxyArguments = {
    ...{ action, experiment, user: text("u"), group: text("g") },
    projectGroup: given.get("p") ?? text("g"),
    ...{ keyFile: text("k"), logFile: text("l"), recordFile: given.get("t") },
    ...{ opsAgent: given.has("a"), debug: given.has("d") },
    runDirectory: given.get("rundir") ?? defaultRunDirectory,
    ...{ scheduler: given.get("scheduler"), tevc: given.get("tevc"), agent: given.get("agent") },
    ...(passedOn.length === 0 ? {} : { passedOn }),
    ...(given.has("continue") ? { goesOn: true } : {}),
  };
  return { kind: "arguments", value };
}

function misused(complaint: string): ProxyCommandLine {
  return { kind: "misused", complaint };
}
