// SPDX-License-Identifier: MIT
// Accounts and groups of this machine that live as long as a test file. Their names are new, so
// that nobody's are touched.
import { execFileSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { newRunId } from "../../../src/host/ids.ts";

export interface TestAccounts {
  readonly owner: string;
  readonly other: string;
  readonly experimentGroup: string;
  readonly projectGroup: string;
  remove(): void;
}

export function makeAccounts(): TestAccounts {
  const id = newRunId().slice(0, 8);
  const [owner, other] = [`mt-${id}-a`, `mt-${id}-b`] as const;
  const [experimentGroup, projectGroup] = [`mt-${id}-e`, `mt-${id}-p`] as const;
  for (const group of [experimentGroup, projectGroup]) execFileSync("groupadd", [group]);
  for (const user of [owner, other]) {
    execFileSync("useradd", ["--no-create-home", "--gid", projectGroup, user]);
  }
  return {
    ...{ owner, other, experimentGroup, projectGroup },
    remove() {
      for (const user of [owner, other]) {
        endProcessesOf(idOf("-u", user));
        execFileSync("userdel", ["--force", user]);
      }
      for (const group of [experimentGroup, projectGroup]) execFileSync("groupdel", [group]);
    },
  };
}

/** What a failed test has left running. */
function endProcessesOf(uid: number): void {
  for (const name of readdirSync("/proc").filter((one) => /^\d+$/.test(one))) {
    try {
      if (statSync(`/proc/${name}`).uid === uid) process.kill(Number(name), "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
  }
}

export function idOf(kind: "-u" | "-g", user: string): number {
  return Number(execFileSync("id", [kind, user], { encoding: "utf8" }));
}

export function gidOf(group: string): number {
  return Number(execFileSync("getent", ["group", group], { encoding: "utf8" }).split(":")[2]);
}
