// SPDX-License-Identifier: MIT
// Says when an `id` of an HTTP request holds at one server only, because a server of an older build
// keeps the log at a version without keys (D12), and when it holds at all: who asks a second server
// with it meanwhile counts twice, and nothing else would say so.
import { keysVersion } from "../core/version.ts";
import type { Logger } from "./logger.ts";
import type { Shards } from "./shards.ts";

export interface OldVersionSubject {
  readonly facts: Pick<Shards["facts"], "version" | "serversBefore">;
  readonly observe: (observer: () => void) => () => void;
  /** When what is known of this server's own build is not that of its last life. */
  readonly joined: () => Promise<void>;
}

/** @returns what ends it. */
export function warnOfOldVersion(
  { facts, observe, joined }: OldVersionSubject,
  logger: Logger,
): () => void {
  let hasWarned = false;
  let hasJoined = false;
  const look = (): void => {
    if (!hasJoined) return;
    const { version } = facts;
    if (version >= keysVersion) {
      stop(); // It is never lowered.
      const now = `the log is of version ${version}`;
      if (hasWarned)
        logger.log("warn", `${now}: an id of an HTTP request holds at all servers now`);
      return;
    }
    if (hasWarned) return;
    const old = facts.serversBefore(keysVersion);
    // None when the entry that raises the log is on its way.
    if (old.length === 0) return;
    hasWarned = true;
    const names = old.map((name) => name.replace(/^server\//, "")).join(", ");
    const why = `the log is of version ${version} until no server of an older build lives (${names})`;
    const what = "until then an id of an HTTP request holds only at the server that heard it first";
    logger.log("warn", `${why}; ${what}`);
  };
  const stop = observe(look);
  const begin = (): void => {
    hasJoined = true;
    look();
  };
  // Who cannot join ends, and says why.
  joined().then(begin, stop);
  return stop;
}
