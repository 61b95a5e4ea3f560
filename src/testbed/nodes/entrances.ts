// SPDX-License-Identifier: MIT
// How others get into the nodes of runs that are under way: each run keeps a list of its nodes in
// its temporary directory, which only its owner may read, because programs' tokens are in it.
import { readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { findLiving } from "./run-directory.ts";
import { findProgram } from "./system-programs.ts";

/** One node: what a program needs to be started in it. */
export interface NodeEntrance {
  readonly name: string;
  /** Pid 1 of the node as this machine counts processes; null where nodes have no namespaces. */
  readonly holder: number | null;
  /** The namespaces belong to a user namespace. */
  readonly asUser: boolean;
  readonly hasNetwork: boolean;
  /** Its interfaces of the experiment; of a network of its own. */
  readonly interfaces?: readonly { readonly link: string; readonly name: string }[];
  /** Directories of its control groups. */
  readonly groups: readonly string[];
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
}

export interface RunEntrances {
  readonly runId: string;
  /** `pid/eid` */
  readonly experiment: string;
  /**
   * Its directory, where its bus and its key are told; a run of an earlier version does not say.
   */
  readonly out?: string;
  readonly nodes: readonly NodeEntrance[];
  /** Names of its nodes on other machines, which nobody enters from here. */
  readonly elsewhere?: readonly string[];
}

/** A run that is under way, and where the socket for its links is, if it has one. */
export interface LivingRun extends RunEntrances {
  readonly linkDoor: string;
}

const fileName = "entrances.json";

export function linkDoorOf(temporary: string): string {
  return join(temporary, "links");
}

/** Replaced whole: somebody may be reading it. @throws Error of the file system */
export function writeEntrances(temporary: string, entrances: RunEntrances): void {
  const file = join(temporary, fileName);
  writeFileSync(`${file}.new`, JSON.stringify(entrances), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** Whether `id` names a run: `pid/eid`, eid, its own ID, or its directory from here. */
export function isRunNamed(
  { experiment, runId, out }: Pick<RunEntrances, "experiment" | "runId" | "out">,
  id: string,
): boolean {
  if (experiment === id || experiment.split("/")[1] === id || runId === id) return true;
  return out !== undefined && out === resolve(id);
}

/** The runs of this user that are under way. */
export function findEntrances(): readonly LivingRun[] {
  return findLiving().flatMap((directory) => {
    try {
      if (!readdirSync(directory).includes(fileName)) return [];
      const text = readFileSync(join(directory, fileName), "utf8");
      return [{ ...(JSON.parse(text) as RunEntrances), linkDoor: linkDoorOf(directory) }];
    } catch {
      return []; // It ended meanwhile.
    }
  });
}

/**
 * The command line that runs `argv` in the node, at the terminal of who runs it. What waits outside
 * passes signals on and ends as the program does, as with programs of the run; the program ends
 * with it. When who runs it is killed, it is as if the terminal were gone: nobody would hear of the
 * program any more, and it would keep its ports.
 */
export function enterNode(
  { holder, asUser, hasNetwork }: NodeEntrance,
  argv: readonly string[],
): readonly string[] {
  if (holder === null) return [...endingWith("HUP"), ...argv];
  return [
    "nsenter",
    `--target=${holder}`,
    ...(asUser ? ["--user", "--preserve-credentials"] : []),
    ...["--mount", "--uts", "--ipc", "--pid", ...(hasNetwork ? ["--net"] : [])],
    ...["--no-fork", "--", ...endingWith("HUP")],
    ...["timeout", "--foreground", "0", ...endingWith("KILL"), ...argv],
  ];
}

/** Put before a program: what it gets when its parent ends, whoever has ended that. */
function endingWith(signal: "HUP" | "KILL"): readonly string[] {
  const setpriv = findProgram("setpriv");
  return setpriv === undefined ? [] : [setpriv, `--pdeathsig=${signal}`, "--"];
}
