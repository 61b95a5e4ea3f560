// SPDX-License-Identifier: MIT
// A process with the n-th party of every lane, each with a session that begins at the n-th server,
// or with requests to its HTTP door: so the parties of a barrier are in different processes and at
// different servers. Told by its standard input what to do, one JSON value a line.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { pause } from "../wait.ts";
import { HistoryFile } from "./history-file.ts";
import { HttpParty } from "./http-party.ts";
import { ownFirst, runLanes } from "./lane-process.ts";
import { NativeParty } from "./native-party.ts";

export interface NativeLoad {
  readonly history: string;
  /** The library, as built. */
  readonly client: string;
  readonly urls: readonly string[];
  readonly seed: number;
  readonly party: number;
  readonly parties: number;
  readonly lanes: number;
  /** So many more, behind those of sessions. */
  readonly httpLanes: number;
  readonly roundMs: number;
}

const load = JSON.parse(process.argv[2] ?? "{}") as NativeLoad;
const { connect } = await import(pathToFileURL(load.client).href);
const history = new HistoryFile(load.history);
const { seed, parties: count, party: own } = load;
const urls = ownFirst(load.urls, own);
const common = { urls, history, seed, party: own, parties: count };
const native = Array.from(
  { length: load.lanes },
  (_, lane) => new NativeParty({ ...common, connect, lane, roundMs: load.roundMs }),
);
const http = Array.from(
  { length: load.httpLanes },
  (_, lane) => new HttpParty({ ...common, lane }),
);
const parties = [...native, ...http];

const input = createInterface({ input: process.stdin });
input.on("line", (line) => {
  const lastRounds = JSON.parse(line) as readonly number[];
  for (const [lane, party] of parties.entries()) party.lastRound = lastRounds[lane] ?? 0;
});
// Whoever has started it is gone, and so has the reason for it.
input.on("close", () => process.exit(1));

await runLanes(
  history,
  parties.map(async (party, lane) => {
    // Not all at one instant, which is no load that anybody has.
    await pause((lane * load.roundMs) / parties.length);
    await party.run();
  }),
  () => parties.map(({ round }) => round),
);
