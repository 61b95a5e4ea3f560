// SPDX-License-Identifier: MIT
// Whom a scheduler runs as, and how a process of root becomes that user or borrows its rights.
//
//   U1. Nothing that the user can change runs, or is opened, with the rights of root.
//   U2. What runs as the user has exactly the groups of the experiment and the project.
import { execFileSync } from "node:child_process";
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { assert } from "../../core/assert.ts";
import { LaunchError } from "./launch-error.ts";

export interface Account {
  readonly name: string;
  readonly uid: number;
  /** Of the experiment. */
  readonly gid: number;
  /** Of the experiment and of the project. */
  readonly groups: readonly number[];
  readonly home: string;
}

/** Root's own, wherever root is asked to run something. */
const systemPath = "/bin:/usr/bin:/sbin:/usr/sbin";
export const systemEnvironment: Readonly<Record<string, string>> = { PATH: systemPath };

/** @throws LaunchError (REFUSED) for who does not exist, and for root. */
export function resolveAccount(user: string, group: string, projectGroup: string): Account {
  // NAME:password:UID:GID:comment:HOME:shell
  const [name, , uid, , , home = "/"] = lookUp("passwd", user, "user");
  const gids = [group, projectGroup].map((one) => Number(lookUp("group", one, "group")[2]));
  const [gid = 0] = gids;
  if (name === undefined || Number(uid) === 0 || gids.includes(0)) {
    const message = `a scheduler never runs as root (${user}, ${group}, ${projectGroup}); name who swapped in`;
    throw new LaunchError("REFUSED", message);
  }
  return { name, uid: Number(uid), gid, groups: [...new Set(gids)], home };
}

/**
 * Who acts for a user outside of any project: with the user's own group alone. @throws LaunchError
 */
export function resolveUser(user: string): Account {
  const gid = lookUp("passwd", user, "user")[3] ?? "";
  return resolveAccount(user, gid, gid);
}

/** Asks the system's own data base of names, wherever it is kept. */
function lookUp(database: "passwd" | "group", key: string, what: string): string[] {
  try {
    const line = execFileSync("getent", ["--", database, key], {
      ...{ env: systemEnvironment, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] },
    });
    return line.trimEnd().split(":");
  } catch {
    const message = `there is no ${what} ${key} on this machine; make it, or name another`;
    throw new LaunchError("REFUSED", message);
  }
}

/** Bytes of a small file of a user. */
export const userFileBytesMax = 65_536;

/**
 * The small file that the user could read at a path; undefined for nothing. What else he may have
 * put there, a pipe without a writer or a device without an end, is not waited for.
 * @param account undefined: the user of this process
 */
export function readFileAs(account: Account | undefined, path: string): string | undefined {
  const { O_RDONLY, O_NONBLOCK, O_NOCTTY } = constants;
  try {
    return withRightsOf(account, () => {
      const descriptor = openSync(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
      try {
        const status = fstatSync(descriptor);
        if (!status.isFile() || status.size > userFileBytesMax) return undefined;
        const bytes = Buffer.alloc(status.size);
        return bytes.toString("utf8", 0, readSync(descriptor, bytes));
      } finally {
        closeSync(descriptor);
      }
    });
  } catch {
    return undefined;
  }
}

/** What runs `argv` as the user: the same process, after it has given up what root may. */
export function commandAs(account: Account, argv: readonly string[]): string[] {
  return [
    ...["setpriv", `--reuid=${account.uid}`, `--regid=${account.gid}`],
    ...[`--groups=${account.groups.join(",")}`, "--inh-caps=-all"],
    // Nobody is left to restart or to end it when its supervisor is gone; and it cannot refuse.
    ...["--pdeathsig=KILL", "--", ...argv],
  ];
}

/** What runs `argv` with the rights of this process, and ends with it. */
export function commandAsSelf(argv: readonly string[]): string[] {
  return ["setpriv", "--pdeathsig=KILL", "--", ...argv];
}

/** All of the environment that the user's process gets. [EMULAB-EVENTS 2.2] */
export function environmentOf(account: Account): Record<string, string> {
  const path = `${systemPath}:/usr/local/bin`;
  return { PATH: path, HOME: account.home, USER: account.name, LOGNAME: account.name };
}

/**
 * Lets this process of root do one thing with the rights of the user: open a file where the user
 * may have put links. Synchronous, so that nothing else is done with these rights.
 * @param account undefined: the user of this process, whose rights it has
 */
export function withRightsOf<T>(account: Account | undefined, act: () => T): T {
  if (account === undefined) return act();
  const { setgroups, getgroups, setegid, seteuid } = process;
  assert(
    setgroups !== undefined && getgroups !== undefined && setegid !== undefined,
    "this platform has no groups",
  );
  assert(seteuid !== undefined, "this platform has no users");
  const groups = getgroups();
  setgroups([...account.groups]);
  setegid(account.gid);
  seteuid(account.uid);
  try {
    return act();
  } finally {
    seteuid(0);
    setegid(0);
    setgroups(groups);
  }
}
