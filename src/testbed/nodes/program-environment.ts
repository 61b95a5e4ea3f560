// SPDX-License-Identifier: MIT
// The environment of the programs of a node. It is built from nothing, so that no secret of the
// process that runs Muster reaches a program by accident. [EMULAB-EVENTS 4.3]
import { controllerConfigVariable } from "../../edges/gnunet/client-config.ts";

export interface EnvironmentInput {
  readonly runId: string;
  readonly pid: string;
  readonly eid: string;
  readonly node: string;
  readonly controlAddress: string;
  /** What the node's own bare name resolves to. */
  readonly nodeAddress: string;
  readonly user: string;
  readonly group: string;
  readonly home: string;
  /** As the programs see them: paths of the node in namespace mode, else of this machine. */
  readonly paths: {
    readonly experiment: string;
    readonly logs: string;
    readonly boot: string;
    readonly tools: readonly string[];
    readonly temporary: string;
    /** Directory of the experiment file, `""` when there is none. */
    readonly files: string;
  };
  /** PATH of the process that runs Muster: its directories come last. */
  readonly callerPath: string;
  /** Where the bus of events is, `HOST:PORT`; absent where custom says. */
  readonly eventServer?: string;
  /** `opt(NAME)` values of the file. */
  readonly userEnvironment: readonly (readonly [name: string, value: string])[];
}

const SYSTEM_PATH = ["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/local/sbin"];

/** File of a node's boot directory by which clients of GNUnet find the node's controller. */
export const gnunetConfigFile = "gnunet.conf";

/** The variables, in the order they are set; later ones may refer to earlier ones. */
export function planEnvironment(input: EnvironmentInput): Readonly<Record<string, string>> {
  const caller = input.callerPath.split(":").filter((entry) => entry.startsWith("/"));
  const variables: Record<string, string> = {
    // The old tools first: a system's own emulab-sync would look for a testbed that is not there.
    PATH: [...new Set([...input.paths.tools, ...SYSTEM_PATH, ...caller])].join(":"),
    EXPDIR: input.paths.experiment,
    LOGDIR: input.paths.logs,
    USER: input.user,
    LOGNAME: input.user,
    GROUP: input.group,
    HOME: input.home,
    PID: input.pid,
    EID: input.eid,
    NODECNETIP: input.controlAddress,
    NODE: input.node,
    NODEIP: input.nodeAddress,
    TMPDIR: input.paths.temporary,
  };
  if (input.paths.files !== "") variables["EXPFILES"] = input.paths.files;
  for (const [name, value] of input.userEnvironment) {
    variables[name] = expandVariables(value, variables);
  }
  return Object.assign(variables, {
    MUSTER_RUN: input.runId,
    MUSTER_NODE: input.node,
    MUSTER_BOOT: input.paths.boot,
    [controllerConfigVariable]: `${input.paths.boot}/${gnunetConfigFile}`,
    ...(input.eventServer === undefined ? {} : { MUSTER_EVENTS: input.eventServer }),
  });
}

/**
 * Replaces `$NAME` and `${NAME}`. The testbed passed such values through `echo` in a shell; what
 * else a shell would do with them (commands in back quotes, file name patterns) is not done here.
 */
export function expandVariables(value: string, known: Readonly<Record<string, string>>): string {
  return value.replace(
    /\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})/g,
    (_all, plain: string | undefined, braced: string | undefined) => {
      const name = plain ?? braced ?? "";
      return Object.hasOwn(known, name) ? (known[name] ?? "") : "";
    },
  );
}

/** Adds the variables of one program; those that mark the run cannot be replaced. */
export function withProgramVariables(
  node: Readonly<Record<string, string>>,
  program: Readonly<Record<string, string>> | undefined,
): Record<string, string> {
  const marks = Object.entries(node).filter(
    ([name]) => name.startsWith("MUSTER_") || name === controllerConfigVariable,
  );
  return { ...node, ...program, ...Object.fromEntries(marks) };
}
