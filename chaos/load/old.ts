// SPDX-License-Identifier: MIT
// Clients of the old doors, written down from their protocols and sharing no code with ours: in
// each round three of the sync server and three of Testground meet, each at another server. Their
// protocols know no return: who loses its connection, or hears nothing for long, is out of the
// round, which may then fail for the others; what must not happen is that anybody is let go early,
// counted twice, or never hears anything of its connection.
import { connect } from "node:net";
import { createInterface } from "node:readline";
import WebSocket from "ws";
import type { ServerAddresses } from "../cluster/servers.ts";
import type { Asked } from "../history.ts";
import { pause } from "../wait.ts";
import { HistoryFile } from "./history-file.ts";

export interface OldLoad {
  readonly history: string;
  readonly servers: readonly ServerAddresses[];
  readonly roundMs: number;
  readonly syncScope: string;
}

/** One who has waited for so long gives up, which its protocol has no word for either. */
const patienceMs = 20_000;
const [syncInit, syncWait] = [1, 2];
/** A run has room for so many states, and those of old rounds stay. */
const roundsPerRun = 5_000;

const load = JSON.parse(process.argv[2] ?? "{}") as OldLoad;
const history = new HistoryFile(load.history);
let isOver = false;

/** [EMULAB-SYNC 2] version 2: 76 bytes there, four bytes back, then the end. */
function sync(party: number, name: string, request: number, count: number, error: number) {
  const server = load.servers[party % load.servers.length];
  const isInit = request === syncInit;
  const asked: Asked = isInit
    ? { kind: "count-init-wait", count, error }
    : { kind: "count-wait", error };
  const id = history.ask(`s${party}`, load.syncScope, name, asked);
  return new Promise<void>((resolve) => {
    const bytes: Buffer[] = [];
    const socket = connect({ host: server?.syncHost ?? "", port: server?.syncPort ?? 0 });
    let hasEnded = false;
    const end = (code: string): void => {
      if (hasEnded) return;
      hasEnded = true;
      clearTimeout(timer);
      socket.destroy();
      const reply = Buffer.concat(bytes);
      if (reply.length === 4) history.end(id, "ok", { error: reply.readInt32LE(0) });
      else history.end(id, code);
      resolve();
    };
    const timer = setTimeout(() => end("gave-up"), patienceMs);
    socket.on("connect", () => {
      const frame = Buffer.alloc(76);
      frame.write(name, 0, 63, "latin1");
      frame.writeInt16LE(request, 64);
      frame.writeInt32LE(isInit ? count : 0, 68);
      frame.writeInt32LE(error, 72);
      socket.write(frame);
    });
    socket.on("data", (chunk) => void bytes.push(chunk));
    socket.on("error", () => undefined);
    socket.on("close", () => end("closed"));
  });
}

async function syncRound(round: number): Promise<void> {
  const name = `sync-${round}`;
  const error = round % 7 === 0 ? 3 : 0;
  await Promise.all([
    sync(round, name, syncInit, load.servers.length - 1, 0),
    ...load.servers.slice(1).map((_, index) => sync(round + index + 1, name, syncWait, 0, error)),
  ]);
}

/** A connection to the door of Testground that is made anew when it is lost. */
class TestgroundClient {
  readonly #url: string;
  #socket: WebSocket | undefined;
  readonly #pending = new Map<string, (answer: Record<string, unknown> | undefined) => void>();
  #lastId = 0;

  constructor(url: string) {
    this.#url = url;
  }

  /** @returns undefined when the connection is lost first, or nothing comes. */
  async ask(operation: object): Promise<Record<string, unknown> | undefined> {
    const socket = await this.#open();
    if (socket === undefined) return undefined;
    this.#lastId += 1;
    const id = String(this.#lastId);
    return new Promise((resolve) => {
      const timer = setTimeout(() => socket.terminate(), patienceMs);
      this.#pending.set(id, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      socket.send(JSON.stringify({ id, ...operation }));
    });
  }

  close(): void {
    this.#socket?.close(1000);
  }

  #open(): Promise<WebSocket | undefined> {
    if (this.#socket?.readyState === WebSocket.OPEN) return Promise.resolve(this.#socket);
    const socket = new WebSocket(this.#url, { handshakeTimeout: 3_000 });
    this.#socket = socket;
    socket.on("message", (data) => {
      const answer = JSON.parse(String(data)) as Record<string, unknown>;
      const id = String(answer["id"]);
      this.#pending.get(id)?.(answer);
      this.#pending.delete(id);
    });
    socket.on("error", () => undefined);
    return new Promise((resolve) => {
      socket.once("open", () => resolve(socket));
      socket.on("close", () => {
        resolve(undefined);
        for (const lost of this.#pending.values()) lost(undefined);
        this.#pending.clear();
      });
    });
  }
}

const testground = load.servers.map(({ testgroundUrl }) => new TestgroundClient(testgroundUrl));

async function testgroundParty(client: TestgroundClient, party: number, round: number) {
  const target = load.servers.length;
  // As the SDKs write keys: the run is the scope, the rest is the name.
  const scope = `run:chaos-${Math.trunc(round / roundsPerRun)}`;
  const short = `plan:chaos:case:meet:states:${round}`;
  const name = `${scope}:${short}`;
  const who = `t${party}`;
  const signal = history.ask(who, scope, short, { kind: "signal" });
  const answer = await client.ask({ signal_entry: { state: name } });
  const seq = (answer?.["signal_entry"] as { seq?: number } | undefined)?.seq;
  if (seq === undefined) history.end(signal, "closed");
  else history.end(signal, "ok", { value: seq });
  const wait = history.ask(who, scope, short, { kind: "state-wait", target });
  const released = await client.ask({ barrier: { state: name, target } });
  if (released === undefined) history.end(wait, "closed");
  else if (released["error"] === "") history.end(wait, "ok");
  else history.end(wait, "error", { message: String(released["error"]) });
}

async function play(playRound: (round: number) => Promise<unknown>): Promise<void> {
  for (let round = 1; !isOver; round += 1) {
    await playRound(round);
    await pause(load.roundMs);
  }
}

const input = createInterface({ input: process.stdin });
input.on("line", () => {
  isOver = true;
});
input.on("close", () => process.exit(1));
const report = setInterval(() => {
  process.stdout.write(`${JSON.stringify({ rounds: [], operations: history.ended })}\n`);
}, 500);

await Promise.all([
  play(syncRound),
  play((round) =>
    Promise.all(testground.map((client, party) => testgroundParty(client, party, round))),
  ),
]);
for (const client of testground) client.close();
clearInterval(report);
history.complete();
process.exit(0);
