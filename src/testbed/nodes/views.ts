// SPDX-License-Identifier: MIT
// Where programs find things: by the testbed's own paths where the node has a file system of its
// own, else by the paths of this machine.
import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import type { BackendOptions } from "./node-backend.ts";
import type { NodeDirectories, RunDirectories } from "./node-files.ts";
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

export interface CurrentUser {
  readonly user: string;
  readonly group: string;
  /** The user's home on this machine. */
  readonly home: string;
}

/** Who runs this. An account without an entry in the password file goes by its number. */
export function currentUser(): CurrentUser {
  try {
    const { username, gid, homedir } = userInfo();
    return { user: username, group: groupName(gid), home: homedir };
  } catch {
    const uid = String(process.getuid?.() ?? 0);
    return { user: uid, group: groupName(process.getgid?.() ?? 0), home: "/" };
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
