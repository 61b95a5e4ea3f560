// SPDX-License-Identifier: MIT
// A logger for what anybody can cause as often as he likes: a connection that breaks its protocol,
// a wait that is never answered. Strangers cannot fill a disk with it.
//
//   At most `linesPerMinuteMax` lines in a minute from the first of them; those beyond are counted,
//   and the count is told with the next line that is.
import type { Clock } from "./clock.ts";
import type { Logger } from "./logger.ts";

/** Enough for a person, and a megabyte a day. */
const linesPerMinuteMax = 100;
const minuteUs = 60_000_000;

export function calmLogger(logger: Logger, clock: Pick<Clock, "nowUs">): Logger {
  let sinceUs = 0;
  let lines = 0;
  let leftOut = 0;
  return {
    log(level, message) {
      const nowUs = clock.nowUs();
      if (lines === 0 || nowUs - sinceUs >= minuteUs) {
        sinceUs = nowUs;
        lines = 0;
      }
      if (lines >= linesPerMinuteMax) {
        leftOut += 1;
        return;
      }
      lines += 1;
      const note = leftOut === 0 ? "" : ` (${leftOut} lines like it were left out before)`;
      leftOut = 0;
      logger.log(level, `${message}${note}`);
    },
  };
}
