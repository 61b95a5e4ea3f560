// SPDX-License-Identifier: MIT
// Whether the process can open a file or take a connection. Where it cannot, the platform closes
// who comes without a word to anybody: the server would be silent about clients that it turns away.
import { closeSync, openSync } from "node:fs";
import type { Cancel, Clock } from "./clock.ts";
import type { Logger } from "./logger.ts";
import { Outage, outagePaces } from "./outage.ts";

/** How often it is tried. */
const tryMs = 5_000;

/**
 * @param tryOpen opens something and closes it again
 * @returns what ends it
 */
export function warnOfFullFiles(
  clock: Pick<Clock, "nowUs" | "after">,
  logger: Logger,
  tryOpen: () => void = openNothing,
): Cancel {
  const outage = new Outage({
    ...{ clock, logger, pace: outagePaces.urgent },
    words: {
      failed: (reason) =>
        `no file or connection can be opened (${reason}), who comes is cut off without an answer; raise the limit (ulimit -n)`,
      over: (lasted) => `files and connections can be opened again, after ${lasted}`,
    },
  });
  const look = (): void => {
    cancel = clock.after(tryMs, look);
    try {
      tryOpen();
      outage.over();
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : "";
      if (code === "EMFILE" || code === "ENFILE") outage.failed(code);
    }
  };
  let cancel = clock.after(tryMs, look);
  return () => {
    cancel();
    outage.end();
  };
}

function openNothing(): void {
  closeSync(openSync("/dev/null", "r"));
}
