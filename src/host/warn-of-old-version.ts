// SPDX-License-Identifier: MIT
// Says when an `id` of an HTTP request holds at one server only, because a server of an older build
// keeps the log at a version without keys, or with some (D12), and when it holds at all: who asks a
// second server with it meanwhile counts twice, and nothing else would say so. Whoever replaces
// those servers one by one is told which are left.
import { keysVersion, makesVersion } from "../core/version.ts";
import type { Clock } from "./clock.ts";
import { namesOfServersBefore } from "./log-state.ts";
import type { Logger } from "./logger.ts";
import type { Shards } from "./shards.ts";

/** How long a list stands at least, microseconds: a server may come and go all the time. */
const saidUsMin = 60_000_000;

export interface OldVersionSubject {
  readonly facts: Pick<Shards["facts"], "version" | "serversBefore">;
  readonly clock: Pick<Clock, "nowUs">;
  /** Each entry of the log; leases are renewed there, so that one comes every few seconds. */
  readonly observe: (observer: () => void) => () => void;
  /** When what is known of this server's own build is not that of its last life. */
  readonly joined: () => Promise<void>;
}

/** @returns what ends it. */
export function warnOfOldVersion(
  { facts, clock, observe, joined }: OldVersionSubject,
  logger: Logger,
): () => void {
  let said = "";
  let saidUs = 0;
  let hasJoined = false;
  const look = (): void => {
    if (!hasJoined) return;
    const { version } = facts;
    if (version >= makesVersion) {
      stop(); // It is never lowered.
      const now = `the log is of version ${version}`;
      if (said !== "")
        logger.log("warn", `${now}: an id of an HTTP request holds at all servers now`);
      return;
    }
    const list = namesOfServersBefore(facts, makesVersion).join(", ");
    // None when the entry that raises the log is on its way.
    if (list === "" || list === said) return;
    const nowUs = clock.nowUs();
    if (said !== "" && nowUs - saidUs < saidUsMin) return;
    [said, saidUs] = [list, nowUs];
    const why = `the log is of version ${version} until no server of an older build lives (${list})`;
    const which = version < keysVersion ? "" : " that makes a quorum or a roster";
    const what = `until then an id of an HTTP request${which} holds only at the server that heard it first`;
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
