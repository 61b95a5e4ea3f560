// SPDX-License-Identifier: MIT
// One line of the log for each wait that is older than `warnAfterUs`, with who is missing (B10):
// whoever looks at a server that stands still finds the reason. The same for barriers of any kind.
import type { WaitWarning } from "../core/effect.ts";
import { controlCharacters } from "../core/text.ts";
import type { Host } from "./host.ts";
import type { Logger } from "./logger.ts";

/** @returns what ends it. */
export function warnOfWaits(host: Host, logger: Logger): () => void {
  return host.observe((_, { observed }) => {
    for (const effect of observed) {
      if (effect.kind === "wait-warning") logger.log("warn", describeWaitWarning(effect));
    }
  });
}

/** `barrier b of scope s: waiting for 10.0 s, there: p; missing for 12.0 s: anonymous, from n1` */
export function describeWaitWarning({
  scope,
  barrier,
  waitedUs,
  arrived,
  missing,
  presence,
}: WaitWarning): string {
  const who = missing.length === 0 ? "nobody is known to be missing" : missing.join(", ");
  const since = `waiting for ${(waitedUs / 1e6).toFixed(1)} s, there: ${arrived.join(", ")}`;
  const expectedUs = presence.missing.map(({ sinceUs }) => presence.nowUs - sinceUs);
  const longest =
    expectedUs.length === 0 ? "" : ` for ${(Math.max(...expectedUs) / 1e6).toFixed(1)} s`;
  const text = `barrier ${barrier} of scope ${scope}: ${since}; missing${longest}: ${who}`;
  // Names are what clients chose; a line of a log is one line.
  return text.replace(controlCharacters, "?");
}
