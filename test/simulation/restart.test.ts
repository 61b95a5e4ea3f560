// SPDX-License-Identifier: MIT
// Goal: a core that dies at any moment and starts again from its log changes nothing for anybody.
// Method: one scenario, a sync server and an edge without a wire in processes of their own, the
// core on an SQLite log. The core is killed at every position of the log, at each of three moments,
// and a new one reads the file; the bytes that each TCP client gets and the effects that the other
// edge gets must be those of the undisturbed run.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Entry, LogEntry } from "../../src/core/command.ts";
import { Syncd } from "../../src/edges/syncd/index.ts";
import type { Log, LogReader } from "../../src/engine/log.ts";
import { SqliteLog } from "../../src/engine/sqlite-log.ts";
import { silentLogger } from "../../src/host/logger.ts";
import { connectStreamEdge } from "../../src/host/remote-link.ts";
import { init, initOnly, wait } from "../../src/testing/core-driver.ts";
import type { RequestFormat, SyncRequest } from "../../src/wire/emulab-sync/index.ts";
import { encodeRequest } from "../../src/wire/emulab-sync/index.ts";
import { HostBench, secret } from "../unit/host/host-bench.ts";

const folder = mkdtempSync(join(tmpdir(), "muster-restart-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

/** When the core dies, relative to the entry at the position. */
const moments = [
  "before the append",
  "after the append, before delivery",
  "after the effects, before they come",
  "after the effects have come, before they are acknowledged",
] as const;
type Moment = (typeof moments)[number];

/** Passes everything on, until the entry at which the core is to die. */
class FatalLog implements Log {
  readonly durability: string;
  readonly #inner: Log;
  readonly #die: () => void;
  readonly #at: number;
  readonly #moment: Moment;
  #appends = 0;

  constructor(inner: Log, at: number, moment: Moment, die: () => void) {
    this.#inner = inner;
    this.#at = at;
    this.#moment = moment;
    this.#die = die;
    this.durability = inner.durability;
  }

  append(entry: Entry): Promise<number> {
    this.#appends += 1;
    if (this.#appends !== this.#at || this.#moment.startsWith("after the effects")) {
      return this.#inner.append(entry);
    }
    if (this.#moment === "before the append") {
      this.#die();
      return new Promise(() => undefined);
    }
    return this.#inner.append(entry).then((sequence) => {
      this.#die();
      return sequence;
    });
  }

  read(from: number, deliver: (entries: readonly LogEntry[]) => void): LogReader {
    return this.#inner.read(from, deliver);
  }

  head(): Promise<number> {
    return this.#inner.head();
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}

interface Outcome {
  /** Bytes that each TCP client got, in hex, and whether its connection ended. */
  readonly bytes: Readonly<Record<string, string>>;
  readonly effects: readonly string[];
  readonly entries: number;
  readonly restarts: number;
}

async function play(at: number, moment: Moment): Promise<Outcome> {
  files += 1;
  const file = join(folder, `log${files}`);
  let sqlite: SqliteLog | undefined;
  let bench: HostBench | undefined;
  let restarts = 0;
  const open = (nowUs: () => number): SqliteLog => {
    sqlite = SqliteLog.open({ file, nowUs });
    return sqlite;
  };
  const die = (): void => {
    const world = bench;
    if (world === undefined || restarts > 0) return;
    restarts += 1;
    world.crash();
    world.clock.after(100, () => {
      // Closing gives the file free, as the end of the process would; nothing is pending in it.
      void sqlite?.close().then(() => world.restart(open(() => world.clock.nowUs())));
    });
  };
  bench = new HostBench({ inner: (nowUs) => new FatalLog(open(nowUs), at, moment, die) });
  if (moment.startsWith("after the effects")) {
    const { clock, host } = bench;
    const haveCome = moment.startsWith("after the effects have come");
    host.observe(({ sequence }) => {
      if (sequence !== at) return;
      // What was written in this turn arrives at its end; the answer to it would at the next.
      if (haveCome) clock.endOfTurn(die);
      else die();
    });
  }
  void bench.host.start();
  const { bytes, effects } = await perform(bench);
  const entries = (await sqlite?.head()) ?? 0;
  await sqlite?.close();
  rmSync(file, { force: true });
  return { bytes, effects, entries, restarts };
}

/** Steps two seconds apart, so that a restart between two of them changes the order of nothing. */
async function perform(bench: HostBench) {
  const { clock, limits, network } = bench;
  const connect = connectStreamEdge({ secret, clock, limits, open: () => bench.open() });
  const syncd = new Syncd({
    scope: "s",
    edge: "node0/syncd",
    connect,
    clock,
    logger: silentLogger,
    limits,
    addresses: [],
    port: 0,
  });
  const direct = bench.remote("direct");
  const bytes: Record<string, string> = {};
  const pause = (): Promise<void> => clock.pass(2_000_000);
  const little: RequestFormat = { version: 2, byteOrder: "little" };

  const ask = async (name: string, request: SyncRequest, format = little) => {
    const { client, server } = network.connect();
    bytes[name] = "";
    client.on("data", (chunk: Buffer) => {
      bytes[name] += chunk.toString("hex");
    });
    client.on("end", () => {
      bytes[name] += " end";
      client.end();
    });
    syncd.accept(server, { address: name });
    client.write(encodeRequest(request, format));
    await pause();
    return client;
  };
  const waits = (name: string, error = 0): SyncRequest => ({ kind: "wait", name, error });
  const inits = (name: string, count: number, stays: boolean): SyncRequest => ({
    kind: "init",
    name,
    count,
    waits: stays,
    error: 0,
  });

  await pause();
  await ask("a1", waits("a"));
  await ask("a2", inits("a", 2, true));
  await ask("a3", waits("a", 9));
  await ask("b1", inits("b", 3, false));
  await ask("b2", waits("b", 7));
  const leaver = await ask("b3", waits("b"));
  leaver.destroy();
  await pause();
  await ask("b4", waits("b"), { version: 2, byteOrder: "big" });
  direct.link.submit(wait(1, { barrier: "b", error: 33 }));
  await pause();
  await ask("c1", waits("c"), { version: 1, byteOrder: "little" });
  await ask("c2", inits("c", 1, true), { version: 1, byteOrder: "little" });
  direct.link.submit(init(2, 2, { barrier: "d" }));
  direct.link.submit(wait(3, { barrier: "d" }));
  await pause();
  await ask("d1", waits("d"));
  direct.link.submit(wait(4, { barrier: "e", timeoutUs: 1_000_000 }));
  await pause();
  direct.link.submit(initOnly(5, 1, { barrier: "f" }));
  await pause();
  await ask("f1", waits("f", 239));
  await ask("g1", waits("g"));
  syncd.clear();
  await pause();
  await pause();
  return { bytes, effects: direct.effects };
}

const undisturbed = await play(0, "before the append");

describe("a core that starts again from its log", () => {
  it("the undisturbed run answers everybody", () => {
    expect(undisturbed.bytes).toEqual({
      a1: "09000000 end",
      a2: "09000000 end",
      a3: "09000000 end",
      b1: "00000000 end",
      b2: "21000000 end",
      b3: "",
      b4: "00000021 end",
      c1: "01000000 end",
      c2: "01000000 end",
      d1: "00000000 end",
      f1: "ef000000 end",
      g1: "f0000000 end",
    });
    expect(undisturbed.effects).toEqual([
      "crossed b.1 33 [1]",
      "crossed d.1 0 [2,3]",
      "timeout e.1 0 [4]",
      "acknowledged 5",
    ]);
    expect(undisturbed.restarts).toBe(0);
  });

  it.each(moments)(
    "gives each client the same bytes when the core dies %s, at every position",
    async (moment) => {
      let deaths = 0;
      for (let at = 1; at <= undisturbed.entries; at += 1) {
        const { bytes, effects, restarts } = await play(at, moment);
        expect(bytes, `position ${at}`).toEqual(undisturbed.bytes);
        expect(effects, `position ${at}`).toEqual(undisturbed.effects);
        deaths += restarts;
      }
      process.stdout.write(`restart: ${deaths} deaths ${moment}\n`);
      expect(deaths).toBe(undisturbed.entries);
    },
  );
});
