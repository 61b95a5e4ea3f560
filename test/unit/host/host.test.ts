// SPDX-License-Identifier: MIT
// K1-K3 of the link and H1-H3 of the host, on every log: nothing lost, nothing doubled, order kept,
// whatever the log does with appends.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Batch } from "../../../src/core/command.ts";
import type { Log } from "../../../src/engine/log.ts";
import { SqliteLog } from "../../../src/engine/sqlite-log.ts";
import { init, initOnly, wait } from "../../../src/testing/core-driver.ts";
import type { LogFaults } from "../../../src/testing/delaying-log.ts";
import { HostBench } from "./host-bench.ts";

const folder = mkdtempSync(join(tmpdir(), "muster-host-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const sqlite = (nowUs: () => number): Log => {
  files += 1;
  return SqliteLog.open({ file: join(folder, `log${files}`), nowUs });
};

interface Backing {
  readonly name: string;
  readonly faults: Partial<LogFaults>;
  readonly inner?: (nowUs: () => number) => Log;
}

const stormy = { appendDelayMsMax: 40, deliveryDelayMsMax: 40 };
const backings: readonly Backing[] = [
  { name: "memory", faults: {} },
  { name: "SQLite", faults: {}, inner: sqlite },
  { name: "a slow log", faults: { appendDelayMsMax: 40 } },
  { name: "a log that delivers late", faults: { deliveryDelayMsMax: 40 } },
  { name: "a log that refuses", faults: { definiteFailure: 0.3 } },
  { name: "a log that loses answers", faults: { indefiniteFailure: 0.3 } },
  {
    name: "a log with every fault",
    faults: { ...stormy, definiteFailure: 0.2, indefiniteFailure: 0.2 },
  },
  {
    name: "SQLite with every fault",
    faults: { ...stormy, definiteFailure: 0.2, indefiniteFailure: 0.2 },
    inner: sqlite,
  },
];

describe.each(backings)("Host on $name", (backing) => {
  const create = (seed: number) => new HostBench({ ...backing, seed });

  it.each(["local", "remote"] as const)(
    "K1 K2 loses, doubles and reorders nothing over a %s link",
    async (kind) => {
      for (const seed of [1, 2, 3]) {
        const bench = create(seed);
        await bench.start();
        const { link, effects } = bench[kind]("e");
        const sent: string[] = [];
        const expected: string[] = [];
        for (let round = 1; round <= 40; round += 1) {
          const barrier = `b${round}`;
          const [a, b] = [2 * round, 2 * round + 1];
          link.submit(wait(a, { barrier }));
          sent.push(`e count-wait ${a}`);
          if (round % 3 === 0) await bench.clock.pass(7_000);
          link.submit(init(b, 1, { barrier }));
          sent.push(`e count-init ${b}`);
          expected.push(`crossed ${barrier}.1 0 [${a},${b}]`);
        }
        await bench.clock.pass(20_000_000);
        const commands = (await bench.commands()).filter((text) => /^e count/.test(text));
        expect(commands).toEqual(sent);
        expect(effects).toEqual(expected);
      }
    },
  );

  it("H1 K3 tells nothing before its entry came back, and never from inside submit()", async () => {
    const bench = create(4);
    await bench.start();
    const { link, effects } = bench.local("e");
    const heads: number[] = [];
    bench.host.observe((entry) => heads.push(entry.sequence));
    const before = heads.length;
    link.submit(initOnly(1, 1));
    expect(effects).toEqual([]);
    for (let turn = 0; turn < 400 && effects.length === 0; turn += 1) {
      await bench.clock.pass(1_000);
      // The observer sees an entry after the edges: whoever heard, heard of an entry in the log.
      if (effects.length > 0) expect(heads.length).toBeGreaterThan(before);
    }
    await bench.clock.pass(20_000_000);
    expect(effects).toEqual(["acknowledged 1"]);
  });

  it("B9 ends a wait at its deadline by a tick of its own", async () => {
    const bench = create(5);
    await bench.start();
    const { link, effects } = bench.local("e");
    link.submit(wait(1, { timeoutUs: 3_000_000 }));
    await bench.clock.pass(2_900_000);
    expect(effects).toEqual([]);
    await bench.clock.pass(10_000_000);
    expect(effects).toEqual(["timeout b.1 0 [1]"]);
  });

  it("close() puts everything that was submitted in the log", async () => {
    const bench = create(6);
    await bench.start();
    const { link } = bench.local("e");
    for (let connection = 1; connection <= 50; connection += 1) link.submit(wait(connection));
    const closing = link.close();
    await bench.clock.pass(20_000_000);
    await closing;
    const commands = (await bench.commands()).filter((text) => text.startsWith("e "));
    expect(commands).toHaveLength(52);
    expect(commands.at(-1)).toBe("e end-edge");
    const ended = bench.host.close();
    await bench.clock.pass(5_000_000);
    await ended;
  });
});

describe("Host", () => {
  it("abandon() stops at once: nothing more is appended, applied or told", async () => {
    const bench = new HostBench();
    await bench.start();
    const { link, effects } = bench.local("e");
    link.submit(initOnly(1, 1));
    bench.host.abandon();
    await bench.clock.pass(5_000_000);
    expect(effects).toEqual([]);
    expect(await bench.commands()).not.toContain("e count-init 1");
  });

  it("close() does not wait for ever when the log takes nothing", async () => {
    const bench = new HostBench({ faults: { definiteFailure: 1 } });
    void bench.start();
    await bench.clock.pass(1_000_000);
    const closing = bench.host.close();
    await bench.clock.pass(3_000_000);
    await closing;
  });

  it("connectEdge() under a name in use ends the edge before, and tells it", async () => {
    const bench = new HostBench();
    await bench.start();
    const first = bench.local("e");
    first.link.submit(wait(1));
    await bench.clock.pass(1_000);
    const second = bench.local("e");
    second.link.submit(initOnly(1, 1));
    await bench.clock.pass(1_000);
    expect(first.events).toEqual([
      "closed: the core ended this edge: another one attached under its name",
    ]);
    expect(second.effects).toEqual(["acknowledged 1"]);
    expect(bench.host.describe("s").barriers[0]).toMatchObject({ arrived: 0, count: 1 });
  });

  it("a restarted host keeps the edges that may come back for their lease", async () => {
    const bench = new HostBench({ limits: { edgeLeaseUs: 3_000_000 } });
    await bench.start();
    bench.remote("e").link.submit(wait(1));
    await bench.clock.pass(1_000_000);
    await bench.restart();
    expect(bench.host.describe("s").barriers[0]).toMatchObject({ arrived: 1 });
  });

  it("a restarted host ends those of its own process: who repeats a wait counts once", async () => {
    const bench = new HostBench();
    await bench.start();
    bench.local("http/127.0.0.1:1").link.submit(wait(1));
    bench.local("idle").link.submit(initOnly(1, 1, { barrier: "other" }));
    await bench.clock.pass(1_000);
    await bench.restart();
    // The door is another one now: another port.
    const { link, effects } = bench.local("http/127.0.0.1:2");
    link.submit(wait(1));
    link.submit(initOnly(2, 2));
    await bench.clock.pass(1_000_000);
    expect(bench.host.describe("s", "b").barriers).toMatchObject([{ arrived: 1, count: 1 }]);
    expect(effects).toEqual(["acknowledged 2"]);
    // It ended once: the next start has nothing to end, and what counted stays.
    await bench.restart();
    expect(bench.host.describe("s", "other").barriers).toMatchObject([{ count: 1 }]);
  });

  it("D5 a loss that the log takes after the return of its edge does not end the edge", async () => {
    const bench = new HostBench();
    await bench.start();
    const { link, effects } = bench.remote("e");
    link.submit(wait(1));
    await bench.clock.pass(2_000_000);
    const batches: Batch[] = [];
    const reader = bench.inner.read(1, (entries) => {
      batches.push(...entries.flatMap(({ entry }) => entry.batches));
    });
    await bench.clock.settle();
    reader.stop();
    const incarnation = batches.find(({ edge }) => edge === "e")?.incarnation ?? 0;
    // What a host said whose append came late.
    const commands = [{ kind: "attach" }, { kind: "detach", edge: "e", incarnation }] as const;
    const late = { edge: "other", incarnation: 9, number: 1, commands };
    await bench.inner.append({ format: 1, batches: [late] });
    await bench.clock.pass(60_000_000);
    expect(bench.host.describe("s").barriers).toMatchObject([{ arrived: 1 }]);
    link.submit(initOnly(2, 1));
    await bench.clock.pass(5_000_000);
    expect(effects).toHaveLength(2);
  });

  it("a restarted host has the state of the one before", async () => {
    const bench = new HostBench();
    await bench.start();
    const { link } = bench.remote("e");
    for (let connection = 1; connection <= 20; connection += 1) {
      link.submit(wait(connection, { barrier: `b${connection % 3}`, timeoutUs: 60_000_000 }));
    }
    await bench.clock.pass(1_000_000);
    const sequenceOf = (): unknown => bench.host.describe("s");
    const before = sequenceOf();
    await bench.restart();
    expect(sequenceOf()).toEqual(before);
  });
});
