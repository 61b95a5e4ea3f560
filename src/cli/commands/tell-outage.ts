// SPDX-License-Identifier: MIT
// A person at a terminal is told that the connection to the server is lost, and that it is tried
// again: once for each time, and not of one that is back, or taken over by another server, before
// anybody would notice.
import type { Clock } from "../../host/clock.ts";
import type { CommandIo } from "../io.ts";

/** What is back within this time is not told, milliseconds. */
const quietMs = 1_000;

export interface OutageTeller {
  /** The connection is lost, or there again. */
  readonly onLink: (isUp: boolean) => void;
  /** Nothing more is told. */
  readonly end: () => void;
}

/** @param leaseMs after which the server gives the session up */
export function tellOfOutages(
  { stderr }: Pick<CommandIo, "stderr">,
  clock: Pick<Clock, "after">,
  leaseMs: number,
): OutageTeller {
  let isTold = false;
  let cancel = (): void => undefined;
  const tell = (): void => {
    isTold = true;
    stderr(
      `muster: the connection to the server is lost; trying again for ${leaseMs / 1000} s, and waiting on if it comes back\n`,
    );
  };
  return {
    onLink(isUp) {
      cancel();
      if (!isUp) {
        cancel = clock.after(quietMs, tell);
        return;
      }
      if (isTold) stderr("muster: the server is there again\n");
      isTold = false;
    },
    end: () => cancel(),
  };
}
