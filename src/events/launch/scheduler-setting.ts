// SPDX-License-Identifier: MIT
// The files that a scheduler finds when it starts: its key, its agenda. They lie in a directory of
// its user, who may have put links anywhere: all is done with the rights of the user (U1).
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { errorText } from "../../core/text.ts";
import { type Account, withRightsOf } from "./account.ts";
import { LaunchError } from "./launch-error.ts";

export interface SchedulerSetting {
  /** The user's. */
  readonly directory?: string;
  /** Paths below the directory that are to be directories. */
  readonly folders?: readonly string[];
  /** Path below the directory -> text; what was there before is replaced. */
  readonly files?: Readonly<Record<string, string>>;
  /** Paths below the directory that a scheduler before this one has left, and that go first. */
  readonly stale?: readonly string[];
}

/** @throws LaunchError (UNSAFE) */
export function prepareSetting(
  { directory, folders = [], files = {}, stale = [] }: SchedulerSetting,
  account: Account | undefined,
): void {
  if (directory === undefined) return;
  try {
    withRightsOf(account, () => {
      for (const name of folders)
        mkdirSync(join(directory, name), { recursive: true, mode: 0o750 });
      for (const name of stale) rmSync(join(directory, name), { force: true });
      for (const [name, text] of Object.entries(files)) {
        const path = join(directory, name);
        mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
        rmSync(path, { force: true });
        writeFileSync(path, text, { mode: 0o600, flag: "wx" });
      }
    });
  } catch (error) {
    const why = errorText(error);
    const who = account?.name ?? "this user";
    throw new LaunchError(
      "UNSAFE",
      `${who} cannot write to ${directory}: ${why}; make it writable for ${who}`,
    );
  }
}
