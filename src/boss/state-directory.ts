// SPDX-License-Identifier: MIT
// The directory a daemon keeps: experiments.db, muster.sock, serve.log, tokens.json, audit.log and
// experiments/. It belongs to one user and nobody else may enter it. That is the whole of the
// daemon's identification of its clients: Node offers no SO_PEERCRED, so whoever can reach the
// socket (the owner, and root) acts as the owner.
import { existsSync, mkdirSync, type Stats, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { errorText } from "../core/text.ts";
import { BossError } from "./boss-error.ts";
import { socketPathBytesMax } from "./limits.ts";

/** Name of the experiments database in its directory. */
export const databaseFile = "experiments.db";

export interface StateDirectory {
  readonly path: string;
  readonly socket: string;
  readonly database: string;
  /** What a daemon in the background prints. */
  readonly log: string;
  /** Who may use the HTTP door; made by `muster token create`. */
  readonly tokens: string;
  /** A line for each change of the tokens. */
  readonly audit: string;
}

/** `given`, else `$MUSTER_STATE`, else the user's state directory of the XDG. */
export function resolveStateDirectory(
  given: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): StateDirectory {
  const { MUSTER_STATE: own = "", XDG_STATE_HOME: xdg = "", HOME: home = "" } = environment;
  // The XDG wants a path that is not absolute to be ignored.
  const base = xdg.startsWith("/") ? xdg : join(home === "" ? homedir() : home, ".local/state");
  const path = resolve(given ?? (own === "" ? join(base, "muster") : own));
  return {
    path,
    socket: join(path, "muster.sock"),
    database: join(path, databaseFile),
    log: join(path, "serve.log"),
    tokens: join(path, "tokens.json"),
    audit: join(path, "audit.log"),
  };
}

/** Directory of an experiment. */
export function experimentDirectory(state: StateDirectory, pid: string, eid: string): string {
  return join(state.path, "experiments", pid, eid);
}

/** Directory of the results of an experiment's runs. */
export function runsDirectory(state: StateDirectory, pid: string, eid: string): string {
  return join(experimentDirectory(state, pid, eid), "runs");
}

/**
 * Makes the directory if there is none.
 * @throws BossError (STATE_DIRECTORY) when it cannot be made or is not the user's alone.
 */
export function prepareStateDirectory(state: StateDirectory): void {
  checkSocketPath(state);
  try {
    makeLevels(state.path);
  } catch (error) {
    const message = `cannot make the state directory ${state.path}: ${describe(error)}; choose another with --state`;
    throw new BossError("STATE_DIRECTORY", message);
  }
  const complaint = examine(state.path, "daemon");
  if (complaint !== undefined) throw new BossError("STATE_DIRECTORY", complaint);
}

/** Level by level: the recursive call says ENOENT of a file system that is read-only. */
function makeLevels(path: string): void {
  const absent: string[] = [];
  let existing = path;
  for (; !existsSync(existing); existing = dirname(existing)) absent.push(existing);
  for (const level of absent.reverse()) {
    try {
      mkdirSync(level, { mode: 0o700 });
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    }
  }
}

function describe(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : "";
  if (code === "EROFS") return "its file system is read-only";
  return code === "ENOENT" ? "nothing can be made there" : errorText(error);
}

/**
 * Whether a client may trust what answers at the socket: only the owner can have made it.
 * @returns false when there is no directory. @throws BossError (STATE_DIRECTORY)
 */
export function checkStateDirectory(state: StateDirectory): boolean {
  checkSocketPath(state);
  const complaint = examine(state.path, "client");
  if (complaint === "") return false;
  if (complaint !== undefined) throw new BossError("STATE_DIRECTORY", complaint);
  return true;
}

function checkSocketPath({ socket }: StateDirectory): void {
  const bytes = Buffer.byteLength(socket);
  if (bytes <= socketPathBytesMax) return;
  const message =
    `${socket} has ${bytes} bytes, and the path of a socket at most ${socketPathBytesMax}; ` +
    "choose a shorter directory with --state";
  throw new BossError("STATE_DIRECTORY", message);
}

/** @returns a complaint, `""` when there is no such directory, undefined when all is well. */
function examine(path: string, who: "daemon" | "client"): string | undefined {
  let found: Stats | undefined;
  try {
    found = statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    return `cannot use ${path}: ${errorText(error)}; choose another with --state`;
  }
  if (found === undefined) return "";
  if (!found.isDirectory()) return `${path} is not a directory; choose another with --state`;
  const uid = process.getuid?.() ?? 0;
  // Root may look after the experiments of others, but keeps none in their directories.
  const isOwn = found.uid === uid || (who === "client" && uid === 0);
  if (!isOwn) {
    return `${path} belongs to user ${found.uid}, and you are ${uid}; choose your own with --state`;
  }
  if ((found.mode & 0o077) === 0) return undefined;
  return `${path} can be entered by others, who could then act as you; run: chmod 700 ${path}`;
}
