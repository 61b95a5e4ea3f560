// SPDX-License-Identifier: MIT
// What the program agent reads before it runs, and whom it becomes. [EMULAB-EVENTS 4.2, 4.3]
import { execFileSync } from "node:child_process";
import { chownSync, mkdirSync, readFileSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import { assert } from "../../core/assert.ts";
import { errorText } from "../../core/text.ts";
import { type Account, resolveUser } from "../../events/launch/index.ts";
import {
  type ProgramAgentConfig,
  parseEnvironmentFile,
  parseProgramAgentConfig,
} from "../../testbed/agents/program-agent-config.ts";
import { programLimits } from "../../testbed/agents/program-limits.ts";
import { planEnvironment } from "../../testbed/nodes/program-environment.ts";
import { senderAddress } from "../event-bus.ts";
import type { Exit } from "./exit.ts";
import type { ProgramAgentArguments } from "./program-agent-arguments.ts";

export const fatalCode = 255;

/** Ends the program; its message says what to do. */
export class ProgramAgentError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = fatalCode) {
    super(message);
    this.exitCode = exitCode;
  }

  get exit(): Exit {
    return { kind: "exit", code: this.exitCode, stderr: `program-agent: ${this.message}\n` };
  }
}

export function nodeName({ node }: ProgramAgentArguments): string {
  return node ?? hostname().split(".")[0] ?? "";
}

/** @throws ProgramAgentError: 255 for what cannot be read, 1 for what is malformed */
export function readConfig(given: ProgramAgentArguments): ProgramAgentConfig {
  const { configFile: file, environmentFile } = given;
  const parsed = parseProgramAgentConfig(readText(file), { file, node: nodeName(given) });
  if (parsed.kind === "malformed") throw new ProgramAgentError(parsed.message, 1);
  if (environmentFile === file) return parsed.config;
  const more = parseEnvironmentFile(readText(environmentFile), environmentFile);
  if (typeof more === "string") throw new ProgramAgentError(more, 1);
  return { ...parsed.config, environment: [...parsed.config.environment, ...more] };
}

function readText(file: string): string {
  const text = readIfThere(file);
  if (text === undefined) throw new ProgramAgentError(`cannot read ${file}`);
  if (text.length <= programLimits.configBytesMax) return text;
  const limit = `limit configBytesMax (${programLimits.configBytesMax}) reached`;
  throw new ProgramAgentError(`${file} is too large: ${limit}`);
}

export function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/**
 * Whom the programs run as, and this process with them; undefined: as whoever has started it.
 *
 * @throws ProgramAgentError
 */
export function findAccount(
  { user }: ProgramAgentArguments,
  config: ProgramAgentConfig,
): Account | undefined {
  const wanted = user ?? config.user;
  const isRoot = process.geteuid?.() === 0;
  if (!isRoot) {
    if (wanted === undefined || wanted === userInfo().username) return undefined;
    throw new ProgramAgentError(`only root becomes ${wanted}; start it as root or as ${wanted}`);
  }
  if (wanted === undefined) {
    throw new ProgramAgentError("programs never run as root: name a user with -u or UID=");
  }
  try {
    return resolveUser(wanted);
  } catch (error) {
    throw new ProgramAgentError(errorText(error));
  }
}

/** Makes the directory of the output, which is the user's. @throws Error */
export function makeLogDirectory(directory: string, account: Account | undefined): void {
  const made = mkdirSync(directory, { recursive: true, mode: 0o775 });
  if (made !== undefined && account !== undefined) {
    chownSync(directory, account.uid, account.gid);
  }
}

/** Root gives up what it may, for good, with all groups of the user. */
export function becomeUser(account: Account | undefined): void {
  if (account === undefined) return;
  const { setgroups, setgid, setuid } = process;
  assert(setgroups !== undefined && setgid !== undefined, "this platform has no groups");
  assert(setuid !== undefined, "this platform has no users");
  const groups = execFileSync("id", ["-G", "--", account.name], {
    ...{ env: { PATH: "/usr/bin:/bin" }, encoding: "utf8" },
  });
  setgroups(groups.trim().split(" ").map(Number));
  setgid(account.gid);
  setuid(account.uid);
}

/** [EMULAB-EVENTS 4.3] */
export function environmentFor(
  given: ProgramAgentArguments,
  config: ProgramAgentConfig,
): Readonly<Record<string, string>> {
  const { experiment, logDirectory } = given;
  const [pid = "", eid = ""] = experiment.split("/");
  const { username, homedir } = userInfo();
  const paths = {
    ...{ experiment: `/proj/${pid}/exp/${eid}`, logs: logDirectory, boot: "/var/emulab/boot" },
    ...{ tools: ["/usr/local/etc/emulab"], temporary: "/tmp", files: "" },
  };
  const control = senderAddress(process.env);
  return planEnvironment({
    ...{ runId: "", pid, eid, paths, controlAddress: control, nodeAddress: control },
    ...{ user: username, group: pid, home: homedir, callerPath: process.env["PATH"] ?? "" },
    node: nodeName(given),
    userEnvironment: config.environment,
  });
}
