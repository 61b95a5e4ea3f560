// SPDX-License-Identifier: MIT
// A process with the n-th party of every lane whose processes are killed. Told by its standard
// input, one JSON value a line, in which epoch each lane meets, or that all is over.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { HistoryFile } from "./history-file.ts";
import { ownFirst, runLanes } from "./lane-process.ts";
import { MortalParty } from "./mortal-party.ts";

export interface MortalLoad {
  readonly history: string;
  /** The library, as built. */
  readonly client: string;
  readonly urls: readonly string[];
  readonly seed: number;
  readonly party: number;
  readonly parties: number;
  readonly roundMs: number;
  /** Of each lane where it meets, from 1. */
  readonly epochs: readonly number[];
}

const load = JSON.parse(process.argv[2] ?? "{}") as MortalLoad;
const { connect } = await import(pathToFileURL(load.client).href);
const history = new HistoryFile(load.history, true);
const { seed, party, parties: count, roundMs } = load;
const urls = ownFirst(load.urls, party);
const parties = load.epochs.map(
  (epoch, lane) =>
    new MortalParty({ connect, urls, history, seed, lane, party, parties: count, roundMs }, epoch),
);

const input = createInterface({ input: process.stdin });
input.on("line", (line) => {
  const told = JSON.parse(line) as readonly number[] | "end";
  for (const [lane, party] of parties.entries()) {
    if (told === "end") party.end();
    else party.tell(told[lane] ?? 0);
  }
});
input.on("close", () => process.exit(1));

await runLanes(
  history,
  parties.map((party) => party.run()),
  () => parties.map((party) => party.over),
);
