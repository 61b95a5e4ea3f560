// SPDX-License-Identifier: MIT
// The command line of program-agent, with the exit codes of the old one. [EMULAB-EVENTS 4.1]
import { type Exit, helpFor } from "./exit.ts";
import { formatFault, Getopt } from "./getopt.ts";

export const usage = `usage: program-agent [-hVdrP] [-s server] [-p port] [-l logfile] [-k keyfile]
                     [-u user] [-i pidfile] [-f envfile] [-o logdir] [-v vnode]
                     [-t tokenfile] -e pid/eid -c configfile
 -h              Display this message
 -V              Print version information and exit
 -d              Stay in the foreground, and log to standard error or -l
 -r              Stay in the foreground, and keep the connection alive
 -P              The same; for nodes elsewhere
 -s server       Host of the bus (localhost)
 -p port         Port of the bus
 -l logfile      Log there
 -k keyfile      Key of the experiment
 -u user         Run programs as this user
 -i pidfile      Write the process id there, as root (/var/run/progagent.pid)
 -f envfile      File of the environment (the configuration file)
 -o logdir       Directory of the output (/local/logs)
 -v vnode        Name of this node; ops for the machine that serves users
 -t tokenfile    Token of a RELOAD that is to be answered
 -e pid/eid      The experiment
 -c configfile   Programs and user
`;

export interface ProgramAgentArguments {
  readonly kind: "run";
  readonly isForeground: boolean;
  readonly server: string;
  readonly port: number | undefined;
  readonly logFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly user: string | undefined;
  readonly pidFile: string;
  readonly environmentFile: string;
  readonly logDirectory: string;
  readonly node: string | undefined;
  readonly tokenFile: string | undefined;
  /** `pid/eid` */
  readonly experiment: string;
  readonly configFile: string;
}

/** What starts the agent anew after RELOAD: its wrapper fetches the configuration and runs it. */
export const reloadExitCode = 45;

/** Reads the command line; the first fault ends it. */
export function parseProgramAgentArguments(
  args: readonly string[],
  versionText: string,
): ProgramAgentArguments | Exit {
  const help = helpFor(args, usage);
  if (help !== undefined) return help;
  const flags = new Set<string>();
  const values = new Map<string, string>();
  const getopt = new Getopt(args, {
    ...{ flags: "hVdrP", valued: "splkuifovtec", longFlags: [], longValued: [] },
  });
  const exit = getopt.takeAll<Exit>({
    flag: (name) => {
      if (name === "h") return { kind: "exit", code: 1, stderr: usage };
      if (name === "V") return { kind: "exit", code: 0, stderr: versionText };
      flags.add(name);
      return undefined;
    },
    valued: (name, value) => void values.set(name, value),
    error: (fault) => {
      return { kind: "exit", code: 1, stderr: `${formatFault("program-agent", fault)}\n${usage}` };
    },
  });
  if (exit !== undefined) return exit;
  const experiment = values.get("e");
  const configFile = values.get("c");
  const port = values.get("p");
  if (getopt.rest.length > 0) return fail(`too many arguments: ${getopt.rest.join(" ")}`);
  if (experiment === undefined || configFile === undefined) return fail("-e and -c are required");
  if (!/^[^/\s]+\/[^/\s]+$/.test(experiment)) return fail(`bad pid/eid: ${experiment}`);
  if (port !== undefined && !isPort(port)) return fail(`bad port: ${port}`);
  return {
    kind: "run",
    isForeground: ["d", "r", "P"].some((flag) => flags.has(flag)),
    server: values.get("s") ?? "localhost",
    port: port === undefined ? undefined : Number(port),
    logFile: values.get("l"),
    keyFile: values.get("k"),
    user: values.get("u"),
    pidFile: values.get("i") ?? "/var/run/progagent.pid",
    environmentFile: values.get("f") ?? configFile,
    logDirectory: values.get("o") ?? "/local/logs",
    node: values.get("v"),
    tokenFile: values.get("t"),
    ...{ experiment, configFile },
  };
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535;
}

function fail(why: string): Exit {
  return { kind: "exit", code: 1, stderr: `program-agent: ${why}\n${usage}` };
}
