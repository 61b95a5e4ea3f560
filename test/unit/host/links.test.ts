// SPDX-License-Identifier: MIT
// Links to edges in other processes: cut at every message boundary, lost for shorter and longer
// than a lease, held by somebody who may not, fed with garbage; and over a real UNIX socket with an
// edge process that is killed. D14.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectSocket, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { resolveLimits } from "../../../src/core/limits.ts";
import { MemoryLog } from "../../../src/engine/memory-log.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { Host } from "../../../src/host/host.ts";
import { helloBytesMax, LinkListener, strangersMax } from "../../../src/host/link-listener.ts";
import { silentLogger } from "../../../src/host/logger.ts";
import { connectRemoteEdge } from "../../../src/host/remote-link.ts";
import { initOnly, wait } from "../../../src/testing/core-driver.ts";
import { linkFormat } from "../../../src/wire/link/frames.ts";
import { HostBench, secret, syncSecret } from "./host-bench.ts";

/** Arrivals at several barriers, released by an edge in the core's process. */
async function play(bench: HostBench) {
  await bench.start();
  const { link, effects, events } = bench.remote("e");
  const driver = bench.local("driver");
  for (let round = 1; round <= 6; round += 1) {
    const barrier = `b${round}`;
    link.submit(wait(round, { barrier }));
    if (round % 2 === 0) link.submit(initOnly(100 + round, 1, { barrier: `x${round}` }));
    await bench.clock.pass(50_000);
    driver.link.submit(initOnly(round, 1, { barrier }));
    await bench.clock.pass(50_000);
  }
  await bench.clock.pass(5_000_000);
  return { effects, events, link };
}

describe("a link that is cut", () => {
  it("K1 K2 loses and doubles nothing when cut at any message boundary", async () => {
    const undisturbed = new HostBench();
    const { effects: expected } = await play(undisturbed);
    const sent = (await undisturbed.commands()).filter((text) => text.startsWith("e count"));
    const chunks = undisturbed.pipes[0]?.chunksCarried ?? 0;
    expect(chunks).toBeGreaterThan(20);
    for (let boundary = 0; boundary <= chunks; boundary += 1) {
      const bench = new HostBench();
      bench.nextChunksLeft = boundary;
      const { effects, events } = await play(bench);
      // Acknowledgements of inits may come before or after a release, by when the link was back.
      expect([...effects].sort(), `boundary ${boundary}`).toEqual([...expected].sort());
      const commands = await bench.commands();
      expect(commands.filter((text) => text.startsWith("e count"))).toEqual(sent);
      if (boundary < chunks) expect(bench.pipes.length).toBeGreaterThan(1);
      expect(events.filter((event) => event.startsWith("closed"))).toEqual([]);
    }
  });

  it("K1 K2 loses nothing when cut again and again", async () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const bench = new HostBench({ seed });
      const cutting = (): void => {
        bench.pipes.at(-1)?.cut();
        bench.clock.after(170 + 13 * seed, cutting);
      };
      bench.clock.after(1_000, cutting);
      const playing = await play(bench);
      const outcomes = playing.effects.filter((text) => text.startsWith("crossed"));
      expect(outcomes, `seed ${seed}`).toHaveLength(6);
      expect(new Set(playing.effects).size).toBe(playing.effects.length);
    }
  });

  it("D5 an edge that is back within its lease keeps its parties, and says so to its edge", async () => {
    const bench = new HostBench({ limits: { edgeLeaseUs: 4_000_000 } });
    await bench.start();
    const { link, effects, events } = bench.remote("e");
    link.submit(wait(1));
    await bench.clock.pass(1_000);
    bench.isDown = true;
    bench.pipes.at(-1)?.cut();
    await bench.clock.pass(3_000_000);
    const driver = bench.local("driver");
    driver.link.submit(initOnly(2, 1));
    link.submit(wait(3, { barrier: "other" }));
    bench.isDown = false;
    await bench.clock.pass(10_000_000);
    expect(events).toEqual(["down", "up"]);
    expect(effects).toEqual(["crossed b.1 0 [1]"]);
    expect(bench.host.describe("s").barriers[0]).toMatchObject({ name: "other", arrived: 1 });
  });

  it("D5 an edge that is away for longer is uncounted, hears what it missed, and that it ended", async () => {
    const bench = new HostBench({ limits: { edgeLeaseUs: 4_000_000 } });
    await bench.start();
    const { link, effects, events } = bench.remote("e");
    link.submit(wait(1));
    link.submit(wait(2, { barrier: "other" }));
    await bench.clock.pass(1_000);
    bench.isDown = true;
    bench.pipes.at(-1)?.cut();
    const driver = bench.local("driver");
    driver.link.submit(initOnly(3, 1));
    await bench.clock.pass(6_000_000);
    expect(bench.host.describe("s").barriers).toEqual([]);
    bench.isDown = false;
    await bench.clock.pass(2_000_000);
    expect(effects).toEqual(["crossed b.1 0 [1]"]);
    expect(events).toEqual(["down", "closed: the core ended this edge's incarnation"]);
    expect(link.submit(wait(4))).toBe(false);
  });

  it("describe() says that it cannot tell when the link goes down meanwhile", async () => {
    const bench = new HostBench();
    await bench.start();
    const { link } = bench.remote("e");
    link.submit(wait(1));
    await bench.clock.pass(1_000);
    const first = link.describe("s");
    await bench.clock.pass(1_000);
    expect((await first).barriers[0]).toMatchObject({ name: "b", arrived: 1 });
    const second = expect(link.describe("s")).rejects.toMatchObject({ code: "unavailable" });
    bench.pipes.at(-1)?.cut();
    await bench.clock.pass(1_000);
    await second;
    await expect(link.describe("s")).rejects.toMatchObject({ code: "unavailable" });
  });

  it("listEvents() tells of the events of another process, or that it cannot", async () => {
    const bench = new HostBench();
    await bench.start();
    const { link } = bench.remote("e");
    await expect(link.listEvents("s", 0)).rejects.toMatchObject({ code: "unavailable" });
    const at = { kind: "in", us: 3_600_000_000 } as const;
    const agents = [{ name: "p", type: "PROGRAM", node: "" }];
    const empty = { groups: [], main: [], timelines: [], sequences: [] };
    link.submit({ kind: "agenda-load", scope: "s", agents, ...empty });
    const facts = { scope: "s", request: 1, object: "p", event: "RUN", args: "", at };
    link.submit({ kind: "agenda-schedule", ...facts });
    await bench.clock.pass(1_000);
    const first = link.listEvents("s", 0);
    await bench.clock.pass(1_000);
    expect(await first).toMatchObject({ total: 1, events: [{ id: 1, object: "p" }] });
    const second = expect(link.listEvents("s", 0)).rejects.toMatchObject({ code: "unavailable" });
    bench.pipes.at(-1)?.cut();
    await bench.clock.pass(1_000);
    await second;
  });
});

/** What the core says to a raw connection. */
function listenTo(stream: Duplex): readonly string[] {
  const heard: string[] = [];
  stream.on("data", (chunk: Buffer) => void heard.push(chunk.toString()));
  return heard;
}

describe("who may not", () => {
  it("a wrong secret is refused for good, and nothing of that edge is in the log", async () => {
    const bench = new HostBench();
    await bench.start();
    const { link, events } = bench.remote("e", { secret: "wrong" });
    link.submit(wait(1));
    await bench.clock.pass(5_000_000);
    expect(events).toEqual([
      "closed: the core does not know this edge (wrong name, wrong secret or another version)",
    ]);
    expect((await bench.commands()).filter((text) => text.startsWith("e "))).toEqual([]);
  });

  const hello = { kind: "hello", format: linkFormat, secret, edge: "e", incarnation: 7 };
  const greeting = { ...hello, acknowledged: 0, seen: 0 };
  const batch = (command: unknown, more: object = {}) => ({
    kind: "batch",
    number: 1,
    commands: [{ kind: "attach" }, command],
    ...more,
  });
  const place = { scope: "s", barrier: "b", connection: 1, who: { address: "x" }, error: 0 };
  const bad: readonly (readonly [string, readonly unknown[]])[] = [
    ["no JSON", ["garbage"]],
    ["a number", [7]],
    ["null", [null]],
    ["an unknown frame", [{ kind: "format-disk" }]],
    ["a batch before its hello", [batch({ kind: "leave", connection: 1 })]],
    ["a hello without an edge", [{ ...greeting, edge: undefined }]],
    ["a hello with a long name", [{ ...greeting, edge: "e".repeat(256) }]],
    ["a second hello", [greeting, greeting]],
    ["an unknown command", [greeting, batch({ kind: "constructor" })]],
    ["a command that is null", [greeting, batch(null)]],
    [
      "a detach, which is the host's",
      [greeting, batch({ kind: "detach", edge: "f", incarnation: 1 })],
    ],
    ["a wait without a scope", [greeting, batch({ kind: "count-wait", ...place, scope: 7 })]],
    ["a wait of nobody", [greeting, batch({ kind: "count-wait", ...place, who: null })]],
    ["an init without a count", [greeting, batch({ kind: "count-init", ...place, waits: true })]],
    ["nodes that are no texts", [greeting, batch({ kind: "open-scope", scope: "s", nodes: [1] })]],
    ["an agenda of nothing", [greeting, batch({ kind: "agenda-load", scope: "s" })]],
    [
      "a wait from a long address",
      [greeting, batch({ kind: "count-wait", ...place, who: { address: "x".repeat(256) } })],
    ],
    ["a lease of no time", [greeting, batch({ kind: "attach", leaseUs: 0 })]],
    ["a lease too long", [greeting, batch({ kind: "attach", leaseUs: 3_600_000_001 })]],
    ["a batch number of half", [greeting, batch({ kind: "attach" }, { number: 0.5 })]],
  ];

  it.each(bad)("%s closes the link and does not reach the log", async (_, frames) => {
    const bench = new HostBench();
    await bench.start();
    const before = await bench.inner.head();
    const stream = bench.open();
    stream.resume();
    for (const frame of frames) {
      stream.write(frame === "garbage" ? "garbage\n" : `${JSON.stringify(frame)}\n`);
    }
    await bench.clock.pass(1_000_000);
    expect(stream.destroyed).toBe(true);
    const commands = await bench.commands();
    expect(commands.filter((text) => !text.startsWith("host "))).toEqual([]);
    // A host that was fed garbage starts again from the same log.
    await bench.restart();
    expect(bench.host.isStarted).toBe(true);
    expect(await bench.inner.head()).toBeGreaterThanOrEqual(before);
  });

  const who = { address: "x" };
  it.each<[string, object]>([
    ["count of half", { kind: "count-init", ...place, who, count: 1.5, waits: true }],
    ["error of half", { kind: "count-wait", ...place, who, error: 0.5 }],
    ["timeout of 10^18 microseconds", { kind: "count-wait", ...place, who, timeoutUs: 1e18 }],
    ["long name", { kind: "count-wait", ...place, who: { ...who, name: "n".repeat(256) } }],
  ])("a %s is refused, and the link goes on", async (_, command) => {
    const bench = new HostBench();
    await bench.start();
    const stream = bench.open();
    let told = "";
    stream.on("data", (chunk: Buffer) => {
      told += chunk.toString();
    });
    for (const frame of [greeting, batch(command)]) stream.write(`${JSON.stringify(frame)}\n`);
    await bench.clock.pass(1_000_000);
    expect(told).toContain('"kind":"refused"');
    expect(stream.destroyed).toBe(false);
    await bench.restart();
    expect(bench.host.isStarted).toBe(true);
  });

  const syncHello = { ...greeting, edge: "n/syncd", secret: syncSecret };
  const ofSyncd = (command: unknown) => batch(command);
  const nothing = { agents: [], groups: [], main: [], timelines: [], sequences: [] };
  const agenda = { scope: "s", ...nothing };
  it.each([
    ["the name of another edge", [{ ...syncHello, edge: "e" }]],
    ["the name of an edge of the core's process", [{ ...syncHello, edge: "testbed" }]],
    ["open-scope", [syncHello, ofSyncd({ kind: "open-scope", scope: "s", nodes: [] })]],
    ["close-scope", [syncHello, ofSyncd({ kind: "close-scope", scope: "s", error: 1 })]],
    ["agenda-load", [syncHello, ofSyncd({ kind: "agenda-load", ...agenda })]],
    ["agenda-start", [syncHello, ofSyncd({ kind: "agenda-start", scope: "s" })]],
    [
      "agenda-complete",
      [syncHello, ofSyncd({ kind: "agenda-complete", scope: "s", token: 1, error: 0 })],
    ],
    ["a wait elsewhere", [syncHello, ofSyncd({ kind: "count-wait", ...place, scope: "t" })]],
    ["cancel-all elsewhere", [syncHello, ofSyncd({ kind: "cancel-all", scope: "t", error: 1 })]],
    ["a look at the events", [syncHello, { kind: "list-events", id: 1, scope: "s", after: 0 }]],
    ["a look elsewhere", [syncHello, { kind: "describe", id: 1, scope: "t" }]],
  ])("L1 the secret of a sync server is no good for %s", async (_, frames) => {
    const bench = new HostBench();
    await bench.start();
    const stream = bench.open();
    const heard = listenTo(stream);
    for (const frame of frames) stream.write(`${JSON.stringify(frame)}\n`);
    await bench.clock.pass(2_000_000);
    expect(stream.destroyed).toBe(true);
    expect(heard.join("")).not.toContain("description");
    const commands = await bench.commands();
    expect(commands.filter((text) => !text.startsWith("host "))).toEqual([]);
  });

  it("a second life of an edge of which there may be one is refused while the first is attached", async () => {
    const bench = new HostBench();
    await bench.start();
    const first = bench.remote("lasting");
    await bench.clock.pass(100_000);
    // Who does not have the secret does not learn that it is there.
    const stranger = bench.remote("lasting", { secret: "another" });
    const second = bench.remote("lasting");
    await bench.clock.pass(100_000);
    expect(stranger.events).toEqual([expect.stringMatching(/^closed: the core does not know/)]);
    expect(second.events).toEqual(["closed: taken"]);
    // The first stays, and comes back as itself.
    bench.pipes[0]?.cut();
    await bench.clock.pass(1_000_000);
    expect(first.events).toEqual(["down", "up"]);
    const ended = first.link.close();
    await bench.clock.pass(1_000_000);
    await ended;
    const third = bench.remote("lasting");
    third.link.submit(wait(1));
    await bench.clock.pass(100_000);
    expect(third.events).toEqual([]);
    expect(await bench.commands()).toContain("lasting count-wait 1");
    // Of other edges the newer one ends the older.
    const [older, newer] = [bench.remote("e"), bench.remote("e")];
    await bench.clock.pass(1_000_000);
    expect([older.events.length, newer.events.length].sort()).toEqual([0, 1]);
  });

  it("L1 a sync server may count, look and cancel in its own scope", async () => {
    const bench = new HostBench();
    await bench.start();
    const stream = bench.open();
    const heard = listenTo(stream);
    stream.write(`${JSON.stringify(syncHello)}\n`);
    await bench.clock.pass(1_000);
    stream.write(`${JSON.stringify(ofSyncd({ kind: "count-wait", ...place }))}\n`);
    await bench.clock.pass(1_000_000);
    stream.write(`${JSON.stringify({ kind: "describe", id: 1, scope: "s" })}\n`);
    await bench.clock.pass(1_000_000);
    expect(heard.join("")).toContain('"description"');
    expect(bench.host.describe("s").barriers[0]).toMatchObject({ arrived: 1 });
    const cancel = { kind: "cancel-all", scope: "s", barrierKind: "count", error: 9 };
    const next = { number: 2, commands: [cancel] };
    stream.write(`${JSON.stringify(batch(cancel, next))}\n`);
    await bench.clock.pass(1_000_000);
    expect(bench.host.describe("s").barriers).toEqual([]);
    expect(stream.destroyed).toBe(false);
  });

  it("L2 a frame before the hello is at most helloBytesMax long", async () => {
    const bench = new HostBench();
    await bench.start();
    const streams = [helloBytesMax, helloBytesMax + 1].map((length) => {
      const stream = bench.open();
      stream.resume();
      stream.write(" ".repeat(length));
      return stream;
    });
    await bench.clock.pass(1_000);
    expect(streams.map(({ destroyed }) => destroyed)).toEqual([false, true]);
  });

  it("L2 an edge may send long frames once it is in", async () => {
    const bench = new HostBench();
    await bench.start();
    const { link } = bench.remote("e");
    for (let count = 1; count <= 50; count += 1) link.submit(wait(count));
    await bench.clock.pass(1_000_000);
    expect(bench.host.describe("s").barriers[0]).toMatchObject({ arrived: 50 });
  });

  it("L2 strangersMax connections may be silent; one more costs the oldest its place", async () => {
    const bench = new HostBench();
    await bench.start();
    bench.remote("e");
    await bench.clock.pass(1_000);
    const streams = Array.from({ length: strangersMax }, () => bench.open());
    for (const stream of streams) stream.resume();
    await bench.clock.pass(1_000);
    expect(streams.filter(({ destroyed }) => destroyed)).toEqual([]);
    bench.open().resume();
    await bench.clock.pass(1_000);
    expect(streams.filter(({ destroyed }) => destroyed)).toEqual([streams[0]]);
    // The edge that was let in is not one of them.
    expect(bench.pipes[0]?.client.destroyed).toBe(false);
  });

  it("L2 of many silent ones that come in one turn each costs one its place", async () => {
    const bench = new HostBench();
    await bench.start();
    const streams = Array.from({ length: strangersMax + 3 }, () => bench.open());
    expect(bench.listener.connectionCount).toBe(strangersMax);
    for (const stream of streams) stream.resume();
    await bench.clock.pass(1_000);
    expect(streams.map(({ destroyed }) => destroyed).lastIndexOf(true)).toBe(2);
    expect(streams.filter(({ destroyed }) => destroyed)).toHaveLength(3);
  });

  it("L2 strangers who say what is no hello fill no log", async () => {
    const bench = new HostBench();
    await bench.start();
    const lines: string[] = [];
    const logger = { log: (_level: string, text: string) => void lines.push(text) };
    bench.listener = new LinkListener({ host: bench.host, admitted: [], logger });
    for (let count = 1; count <= 150; count += 1) {
      const stream = bench.open();
      stream.resume();
      stream.write("GET / HTTP/1.1\n");
      await bench.clock.pass(1_000);
      expect(stream.destroyed).toBe(true);
    }
    expect(lines).toHaveLength(100);
    expect(lines[0]).toContain("a link to an edge was closed: FrameError");
  });

  it("L3 who is refused and keeps the connection open is cut off", async () => {
    const bench = new HostBench();
    await bench.start();
    const stream = bench.open();
    const heard = listenTo(stream);
    stream.write(`${JSON.stringify({ ...greeting, secret: "wrong" })}\n`);
    await bench.clock.pass(500_000);
    expect(heard.join("")).toContain('"closed"');
    expect(stream.destroyed).toBe(false);
    await bench.clock.pass(1_000_000);
    expect(bench.pipes[0]?.server.destroyed).toBe(true);
  });

  it("L3 close() cuts strangers off at once, and an edge that stays after a second", async () => {
    const bench = new HostBench();
    await bench.start();
    for (const frame of [greeting, { ...greeting, secret: "wrong" }, undefined]) {
      const stream = bench.open();
      stream.resume();
      if (frame !== undefined) stream.write(`${JSON.stringify(frame)}\n`);
    }
    await bench.clock.pass(1_000);
    const gone = (): unknown[] => bench.pipes.map(({ server }) => server.destroyed);
    expect(gone()).toEqual([false, false, false]);
    bench.listener.close();
    expect(gone()).toEqual([false, true, true]);
    await bench.clock.pass(2_000_000);
    expect(gone()).toEqual([true, true, true]);
  });

  it("a connection that never says who it is is closed", async () => {
    const bench = new HostBench();
    await bench.start();
    const stream = bench.open();
    stream.resume();
    await bench.clock.pass(9_000_000);
    expect(stream.destroyed).toBe(false);
    await bench.clock.pass(2_000_000);
    expect(stream.destroyed).toBe(true);
  });
});

describe("a UNIX socket", () => {
  const folder = mkdtempSync(join(tmpdir(), "muster-link-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const clock = systemClock;

  async function serve(path: string, leaseMs = 10_000) {
    const limits = resolveLimits({ edgeLeaseUs: leaseMs * 1000 });
    const log = new MemoryLog({ nowUs: clock.nowUs });
    const host = new Host({ log, clock, limits, logger: silentLogger });
    await host.start();
    const admitted = [{ edge: "e", secret, rights: { kind: "all" } as const }];
    const listener = new LinkListener({ host, admitted, logger: silentLogger });
    await listener.listen(path);
    const close = async (): Promise<void> => {
      listener.close();
      await host.close();
    };
    return { host, limits, close };
  }

  const until = async (condition: () => boolean): Promise<void> => {
    for (let tries = 0; !condition(); tries += 1) {
      if (tries > 1000) throw new Error("it did not come to that");
      await new Promise<void>((resolve) => clock.after(10, resolve));
    }
  };

  it.each([join(folder, "core"), `@muster-test-${process.pid}`])(
    "carries a link at %s",
    async (path) => {
      const { host, limits, close } = await serve(path);
      const seen: string[] = [];
      const connect = connectRemoteEdge({ secret, clock, limits, path });
      const link = connect("e", {
        onEffects: (some) => seen.push(...some.map(({ kind }) => kind)),
      });
      link.submit(wait(1));
      link.submit(initOnly(2, 1));
      await until(() => seen.length === 2);
      expect(seen).toEqual(["acknowledged", "released"]);
      await link.close();
      expect(host.describe("s").barriers).toEqual([]);
      await close();
    },
  );

  it("listen() takes a path over from a core that was killed, not from one that lives", async () => {
    const path = join(folder, "stale");
    const holder = createServer();
    await new Promise<void>((resolve) => {
      holder.listen(path, resolve);
    });
    await expect(serve(path)).rejects.toThrow("EADDRINUSE");
    await new Promise((resolve) => holder.close(resolve));
    const script = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
    await new Promise((resolve) => spawn(process.execPath, ["-e", script]).on("close", resolve));
    const { close } = await serve(path);
    await close();
  });

  it("D5 the parties of an edge process that is killed leave when its lease ends", async () => {
    const path = join(folder, "killed");
    const leaseMs = 400;
    const { host, close } = await serve(path, leaseMs);
    const module = (name: string): string =>
      JSON.stringify(fileURLToPath(new URL(`../../../src/${name}`, import.meta.url)));
    const program = join(folder, "edge.ts");
    writeFileSync(
      program,
      `import { connectRemoteEdge } from ${module("host/remote-link.ts")};
import { systemClock } from ${module("host/clock.ts")};
import { resolveLimits } from ${module("core/limits.ts")};
import { wait } from ${module("testing/core-driver.ts")};
const [, , secret = "", path = ""] = process.argv;
const limits = resolveLimits();
const connect = connectRemoteEdge({ secret, clock: systemClock, limits, path });
connect("e", { onEffects() {} }).submit(wait(1));
`,
    );
    const child = spawn(process.execPath, [program, secret, path], { stdio: "inherit" });
    const arrived = () => host.describe("s").barriers[0]?.arrived ?? 0;
    await until(() => arrived() === 1);
    const killedUs = clock.nowUs();
    child.kill("SIGKILL");
    await until(() => arrived() === 0);
    // A bound from below: however slow the machine is, nobody leaves before the lease is over.
    expect(clock.nowUs() - killedUs).toBeGreaterThanOrEqual(leaseMs * 1_000);
    await close();
  });

  it("L3 a listener ends although a stranger who was refused holds on", async () => {
    const path = join(folder, "held");
    const { close } = await serve(path);
    const stranger = connectSocket({ path, allowHalfOpen: true });
    const frame = { kind: "hello", format: linkFormat, secret: "wrong", edge: "e", incarnation: 1 };
    stranger.write(`${JSON.stringify({ ...frame, acknowledged: 0, seen: 0 })}\n`);
    const heard = listenTo(stranger);
    await until(() => heard.join("").includes("closed"));
    // The end alone leaves a half-open connection, which would keep the process.
    const sockets = (): number =>
      process.getActiveResourcesInfo().filter((name) => name === "PipeWrap").length;
    const before = sockets();
    await close();
    await until(() => sockets() < before);
    stranger.destroy();
  });
});
