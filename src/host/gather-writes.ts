// SPDX-License-Identifier: MIT
// Everything that is written to one stream in one turn of the event loop leaves with one write: a
// system call, and waking who reads, cost more than the frames of a bus. Nothing waits for a timer.
import type { Writable } from "node:stream";
import type { Clock } from "./clock.ts";

/** @returns to be called before each write; what follows leaves at the end of the turn. */
export function gatherWrites(
  stream: Pick<Writable, "cork" | "uncork">,
  clock: Pick<Clock, "endOfTurn">,
): () => void {
  let isGathering = false;
  return () => {
    if (isGathering) return;
    isGathering = true;
    stream.cork();
    clock.endOfTurn(() => {
      isGathering = false;
      stream.uncork();
    });
  };
}
