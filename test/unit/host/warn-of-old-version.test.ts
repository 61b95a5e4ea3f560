// SPDX-License-Identifier: MIT
// Goal: a server says once when ids of requests hold at one server only, because one of an older
// build lives, again when these are others, and once when they hold at all; and nothing where there
// is nothing to say. Method:
// hosts of one log in memory under virtual time, and an entry as an older build appends it.
import { expect, it } from "vitest";
import type { Command } from "../../../src/core/command.ts";
import { resolveLimits } from "../../../src/core/limits.ts";
import { coreVersionMax, keysVersion, makesVersion } from "../../../src/core/version.ts";
import { MemoryLog } from "../../../src/engine/memory-log.ts";
import { Host } from "../../../src/host/host.ts";
import { Shards } from "../../../src/host/shards.ts";
import { warnOfOldVersion } from "../../../src/host/warn-of-old-version.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

const second = 1_000_000;

interface Old {
  readonly name: string;
  readonly leaseUs?: number;
  readonly offers?: number;
}

/** Logs of which servers of an older build, which are named, had each as they were killed. */
async function logsOf(count: number, ...old: readonly Old[]) {
  const clock = new VirtualClock();
  const logs = Array.from({ length: count }, () => new MemoryLog({ nowUs: () => clock.nowUs() }));
  for (const { name, leaseUs = 10 * second, offers = keysVersion - 1 } of old) {
    const life = { edge: `server/${name}`, incarnation: 7 };
    const commands: readonly Command[] = [
      { kind: "attach", as: "server", leaseUs, offers },
      { kind: "version", version: offers },
    ];
    for (const log of logs) {
      await log.append({ format: 1, server: life, batches: [{ ...life, number: 1, commands }] });
    }
  }
  let lives = 100;
  const start = async (server: string) => {
    const lines: string[] = [];
    const logger = { log: (level: string, message: string) => lines.push(`${level}: ${message}`) };
    const hosts = logs.map((log) => {
      lives += 1;
      const newIncarnation = () => lives;
      return new Host({ log, clock, limits: resolveLimits({}), logger, newIncarnation, server });
    });
    const starting = Promise.all(hosts.map((host) => host.start()));
    await clock.pass(10_000);
    await starting;
    const shards = new Shards(hosts);
    const stop = warnOfOldVersion(shards, logger);
    await clock.pass(10_000);
    return { shards, lines, stop, hosts };
  };
  return { clock, start };
}

const why = (old: string): string =>
  `warn: the log is of version ${keysVersion - 1} until no server of an older build lives (${old}); ` +
  "until then an id of an HTTP request holds only at the server that heard it first";
const over = `warn: the log is of version ${coreVersionMax}: an id of an HTTP request holds at all servers now`;

it.each([1, 2])(
  "every server says it once, and once when it is over, with %d log(s)",
  async (count) => {
    const { clock, start } = await logsOf(count, { name: "old" });
    const a = await start("a");
    const b = await start("b");
    expect([a.lines, b.lines]).toEqual([[why("old")], [why("old")]]);
    expect([a.shards.facts.version, b.shards.facts.version]).toEqual([8, 8]);
    await clock.pass(4 * second);
    expect([a.lines.length, b.lines.length]).toEqual([1, 1]);
    // The lease of the old one ends.
    await clock.pass(30 * second);
    expect([a.lines, b.lines]).toEqual([
      [why("old"), over],
      [why("old"), over],
    ]);
    expect(a.shards.facts.version).toBe(coreVersionMax);
    for (const host of [...a.hosts, ...b.hosts]) host.abandon();
  },
);

it("nothing is said where no older build lives, or this server was one under its name", async () => {
  for (const old of [[], [{ name: "a" }]]) {
    const { clock, start } = await logsOf(2, ...old);
    const a = await start("a");
    await clock.pass(30 * second);
    expect([a.lines, a.shards.facts.version]).toEqual([[], coreVersionMax]);
    for (const host of a.hosts) host.abandon();
  }
});

it("those who are left are named when one has gone, with none at all it is over", async () => {
  const long = { name: "b", leaseUs: 100 * second };
  const { clock, start } = await logsOf(2, long, { name: "a" }, { ...long, name: "c" });
  const d = await start("d");
  expect(d.lines).toEqual([why("a, b, c")]);
  // The lease of one has ended by now, and the list that was said stands for a minute.
  await clock.pass(55 * second);
  expect(d.lines).toEqual([why("a, b, c")]);
  await clock.pass(25 * second);
  expect(d.lines).toEqual([why("a, b, c"), why("b, c")]);
  await clock.pass(60 * second);
  expect(d.lines).toEqual([why("a, b, c"), why("b, c"), over]);
  for (const host of d.hosts) host.abandon();
});

it("one that comes and goes all the time is said once a minute at most", async () => {
  const clock = new VirtualClock();
  const lines: string[] = [];
  let old = ["server/a", "server/b"];
  let look: () => void = () => undefined;
  const stop = warnOfOldVersion(
    {
      facts: { version: keysVersion - 1, serversBefore: () => old },
      clock,
      observe: (observer) => {
        look = observer;
        return () => undefined;
      },
      joined: () => Promise.resolve(),
    },
    { log: (level, message) => lines.push(`${level}: ${message}`) },
  );
  await clock.pass(0);
  for (let seconds = 0; seconds < 150; seconds += 1) {
    await clock.pass(second);
    // In another order they are the same.
    old = seconds % 2 === 0 ? ["server/b"] : ["server/b", "server/a"];
    look();
  }
  expect(lines).toEqual([why("a, b"), why("b"), why("a, b")]);
  stop();
});

it("nothing is said when it was ended", async () => {
  const { clock, start } = await logsOf(1, { name: "old" });
  const a = await start("a");
  a.stop();
  await clock.pass(30 * second);
  expect(a.lines).toEqual([why("old")]);
  for (const host of a.hosts) host.abandon();
});

it("nothing is said of its own life before, whose lease is not over, until it has joined", async () => {
  const lines: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  let old = ["server/a"];
  let look: () => void = () => undefined;
  const stop = warnOfOldVersion(
    {
      facts: { version: keysVersion - 1, serversBefore: () => old },
      clock: new VirtualClock(),
      observe: (observer) => {
        look = observer;
        return () => undefined;
      },
      joined: () => promise,
    },
    { log: (level, message) => lines.push(`${level}: ${message}`) },
  );
  look();
  expect(lines).toEqual([]);
  old = [];
  resolve();
  await promise;
  look();
  expect(lines).toEqual([]);
  old = ["server/b"];
  look();
  expect(lines).toEqual([why("b")]);
  stop();
});

it("says of which ids that is when the old one knows those of arrivals", async () => {
  const { start } = await logsOf(1, { name: "old", offers: makesVersion - 1 });
  const { lines } = await start("a");
  const which = "an id of an HTTP request that makes a quorum or a roster";
  expect(lines).toEqual([expect.stringContaining(`until then ${which} holds only at the server`)]);
});
