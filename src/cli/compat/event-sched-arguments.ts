// SPDX-License-Identifier: MIT
// The command line of event-sched. [EMULAB-EVENTS 2.1]

import { describeMuster } from "../version.ts";
import { type Exit, helpFor } from "./exit.ts";
import { formatFault, Getopt } from "./getopt.ts";

export interface EventSchedArguments {
  readonly kind: "run";
  readonly pid: string;
  readonly eid: string;
  readonly debug: number;
  readonly server: string;
  readonly port: number | undefined;
  readonly logFile: string | undefined;
  /** Below the experiment's directory, unless absolute. */
  readonly keyFile: string;
  readonly recordFile: string | undefined;
  /** Root of the tree that is asked over XML-RPC. */
  readonly rpcPath: string;
  readonly boss: string;
  readonly bossPort: number | undefined;
  readonly certificate: string | undefined;
  readonly authority: string | undefined;
  /** Of boss, read directly instead of asking it; the directory is the experiment's. */
  readonly database: string | undefined;
  readonly directory: string | undefined;
  /** Agenda of a run, which is told what becomes of it; with `directory`. */
  readonly runAgenda: string | undefined;
  /** A run obeys for the simulator and is told what becomes of events, also without its agenda. */
  readonly withRun: boolean;
  readonly plan: PlanArguments;
}

/** Where the plan is that other machines can go on from; undefined: the experiment's directory. */
export interface PlanArguments {
  /** As it was given: a name, or a file that has one. */
  readonly given: string | undefined;
  readonly natsCreds: string | undefined;
}

/** Nothing is scheduled: what a log holds is printed. */
export interface PrintLogArguments {
  readonly kind: "print-log";
  readonly file: string;
}

/** The same, of a plan on NATS; or it is removed there. */
export interface PlanDeed {
  readonly kind: "print-plan" | "remove-plan";
  readonly pid: string;
  readonly eid: string;
  readonly plan: PlanArguments;
  /** It is removed also while a scheduler has it. */
  readonly isForced: boolean;
}

/** For everything that goes wrong; also for -h, as ever. */
export const failureCode = 255;
/** There is nothing to print or to remove. */
export const noPlanCode = 1;
const usage = `usage: event-sched [-hVdr] [-s server] [-p port] [-l logfile] [-k keyfile] [-t recordfile] pid eid
 -h           this text
 -V           version
 -d           say more; again for more
 -r           ask the tree /usr/testbed over XML-RPC
 -s server    where the bus is (localhost)
 -p port      its port (2917)
 -l logfile   append to this file what is printed otherwise
 -k keyfile   key of the experiment (tbdata/eventkey of its directory)
 -t file      record events that come over the bus, as CSV
 --boss HOST  --boss-port N   where boss answers XML-RPC (localhost, 3069)
 --cert FILE  --ca FILE       certificate and key; who signed boss's (~/.ssl/emulab.pem, ~/.ssl/ca.pem)
 --database FILE --directory DIR   read boss's database, and use this directory, instead
 --run-agenda FILE --directory DIR   schedule for a run of Muster, which writes the file
 --with-run          a run of Muster obeys for the simulator, and is told what becomes of events
 --plan NATS         keep the plan in a stream of nats://HOST:PORT[/STREAM], for schedulers of any
                     machine, and not in a file; or a file that has such a name
 --nats-creds FILE   credentials of the account of NATS
 --print-log FILE    print what the log of a scheduler holds, a line of JSON each, and end
 --print-plan        the same of the one that --plan names
 --remove-plan       remove the one that --plan names, for ever, and end
 --force             also while a scheduler has it
`;

export function parseEventSchedArguments(
  args: readonly string[],
): EventSchedArguments | PrintLogArguments | PlanDeed | Exit {
  const help = helpFor(args, usage);
  if (help !== undefined) return help;
  const sources = ["database", "directory", "run-agenda"];
  const planned = ["plan", "nats-creds"];
  const longValued = ["boss", "boss-port", "cert", "ca", ...sources, ...planned, "print-log"];
  const deeds = ["print-plan", "remove-plan"] as const;
  const longFlags = ["with-run", "force", ...deeds];
  const getopt = new Getopt(args, { flags: "hVdr", valued: "spltk", longFlags, longValued });
  const given = new Map<string, string>();
  let debug = 0;
  let rpcPath = "/";
  const exit = getopt.takeAll<Exit>({
    flag: (name) => {
      if (name === "V") return { kind: "exit", code: 0, stdout: describeMuster() };
      if (name === "d") debug += 1;
      else if (name === "r") rpcPath = "/usr/testbed";
      else if (longFlags.some((one) => one === name)) given.set(name, "");
      else return misused("");
      return undefined;
    },
    valued: (name, value) => void given.set(name, value),
    error: (fault) => misused(`${formatFault("event-sched", fault)}\n`),
  });
  if (exit !== undefined) return exit;
  const file = given.get("print-log");
  if (file !== undefined) return { kind: "print-log", file };
  const [pid, eid, ...rest] = getopt.rest;
  if (pid === undefined || eid === undefined || rest.length > 0) return misused("");
  const plan = { given: given.get("plan"), natsCreds: given.get("nats-creds") };
  const asked = deeds.filter((name) => given.has(name));
  const isAlone = plan.given === undefined && (asked.length > 0 || plan.natsCreds !== undefined);
  if (isAlone || asked.length > 1) {
    return misused("event-sched: one of --print-plan and --remove-plan goes with --plan\n");
  }
  const [deed] = asked;
  const isForced = given.has("force");
  if (isForced && deed !== "remove-plan") {
    return misused("event-sched: --force goes with --remove-plan\n");
  }
  if (deed !== undefined) return { kind: deed, pid, eid, plan, isForced };
  const [port, bossPort] = [readPort(given.get("p")), readPort(given.get("boss-port"))];
  if (port === "wrong" || bossPort === "wrong") return misused("event-sched: that is no port\n");
  const database = given.get("database");
  const directory = given.get("directory");
  const runAgenda = given.get("run-agenda");
  const named = [database, runAgenda].filter((source) => source !== undefined).length;
  if (named !== (directory === undefined ? 0 : 1)) {
    return misused("event-sched: --directory goes with --database or with --run-agenda\n");
  }
  return {
    ...{ kind: "run", pid, eid, debug, rpcPath, port, bossPort, database, directory },
    ...{ runAgenda, plan },
    withRun: runAgenda !== undefined || given.has("with-run"),
    server: given.get("s") ?? "localhost",
    logFile: given.get("l"),
    keyFile: given.get("k") ?? "tbdata/eventkey",
    recordFile: given.get("t"),
    boss: given.get("boss") ?? "localhost",
    certificate: given.get("cert"),
    authority: given.get("ca"),
  };
}

function readPort(text: string | undefined): number | undefined | "wrong" {
  if (text === undefined) return undefined;
  const port = Number(text);
  return Number.isInteger(port) && port > 0 && port <= 65_535 ? port : "wrong";
}

function misused(complaint: string): Exit {
  return { kind: "exit", code: failureCode, stderr: `${complaint}${usage}` };
}
