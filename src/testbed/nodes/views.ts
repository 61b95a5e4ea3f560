// SPDX-License-Identifier: MIT
// Where programs find things: by the testbed's own paths where the node has a file system of its
// own, else by the paths of this machine.
import { readFileSync, realpathSync, statSync } from "node:fs";
import { userInfo } from "node:os";
import type { BackendOptions } from "./node-backend.ts";
import type { NodeDirectories, RunDirectories } from "./node-files.ts";
import { experimentPath, filesPath, VIEW } from "./node-view.ts";
import type { EnvironmentInput } from "./program-environment.ts";

/** Paths for a node that shares the file system of this machine. */
export function hostPaths(
  options: BackendOptions,
  run: RunDirectories,
  node: NodeDirectories,
): EnvironmentInput["paths"] {
  return {
    experiment: run.experiment,
    logs: node.localLogs,
    boot: node.boot,
    tools: [run.tools],
    temporary: node.temporary,
    files: options.projectFiles ?? "",
  };
}

/** Paths for a node that has a file system of its own. */
export function nodePaths(options: BackendOptions): EnvironmentInput["paths"] {
  return {
    experiment: experimentPath(options),
    logs: VIEW.localLogs,
    boot: VIEW.boot,
    tools: VIEW.tools,
    temporary: VIEW.temporary,
    files: options.projectFiles === undefined ? "" : filesPath(options),
  };
}

/**
 * What of this machine's `/tmp` must stay visible on the nodes: where Muster itself, its Node, the
 * tools, the output and the experiment's files are.
 */
export function neededPaths(options: BackendOptions): readonly string[] {
  const paths = [
    options.out,
    process.execPath,
    import.meta.filename,
    ...Object.values(options.tools),
  ];
  if (options.projectFiles !== undefined) paths.push(options.projectFiles);
  return [...new Set(paths.flatMap((path) => [path, realPath(path)]))];
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

export interface CurrentUser {
  readonly user: string;
  readonly group: string;
  /** The user's home on this machine, or undefined for an account without one. */
  readonly home: string | undefined;
}

/** Who runs this. An account without an entry in the password file goes by its number. */
export function currentUser(): CurrentUser {
  try {
    const { username, gid, homedir } = userInfo();
    return {
      user: username,
      group: groupName(gid),
      home: isDirectory(homedir) ? homedir : undefined,
    };
  } catch {
    const uid = String(process.getuid?.() ?? 0);
    return { user: uid, group: groupName(process.getgid?.() ?? 0), home: undefined };
  }
}

function groupName(gid: number): string {
  try {
    const line = readFileSync("/etc/group", "utf8")
      .split("\n")
      .find((entry) => entry.split(":")[2] === String(gid));
    return line?.split(":")[0] ?? String(gid);
  } catch {
    return String(gid);
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
