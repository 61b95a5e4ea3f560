// SPDX-License-Identifier: MIT
// What every process with a party of each lane does alike, whatever its parties are.
import type { HistoryFile } from "./history-file.ts";

/** From such a process: the rounds in which its lanes are, and operations so far. */
export interface LoadState {
  readonly rounds: readonly number[];
  readonly operations: number;
}

/** Milliseconds between two of them. */
const reportMs = 500;

/** Its own server first; the next one is the next for it alone. */
export function ownFirst(urls: readonly string[], party: number): readonly string[] {
  return urls.map((_, index) => urls[(party + index) % urls.length] ?? "");
}

/** Reports on standard output until the parties are through, completes the history and ends. */
export async function runLanes(
  history: HistoryFile,
  running: readonly Promise<void>[],
  rounds: () => readonly number[],
): Promise<never> {
  const report = setInterval(() => {
    const state: LoadState = { rounds: rounds(), operations: history.ended };
    process.stdout.write(`${JSON.stringify(state)}\n`);
  }, reportMs);
  await Promise.all(running);
  clearInterval(report);
  history.complete();
  process.exit(0);
}
