// SPDX-License-Identifier: MIT
// Goal: slow, cut, garbled and over-long requests get what they should and disturb nobody.
// Method: connections without a network, time that the test lets pass, every split of a request.
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import {
  connectionsMax,
  datagramsInFlightMax,
  requestsPerConnectionMax,
} from "../../../src/edges/tmcd/bounds.ts";
import { tmcdTime } from "../../../src/edges/tmcd-time.ts";
import {
  replyBytesMaxUdp,
  requestBytesMaxTcp,
  requestBytesMaxUdp,
  sslTag,
} from "../../../src/wire/tmcd/index.ts";
import { addresses, ask, askUdp, Caller, type Played, play, settle, World } from "./harness.ts";

const node1 = addresses["node1"] ?? "";
const allocated = "ALLOCATED=P/E NICKNAME=node1\n";
let played: Played;
const start = (): Played => {
  played = play(new World("pair"));
  return played;
};
afterEach(async () => {
  played?.tcp.close();
  await settle();
});

describe("requests in pieces", () => {
  const text = "VERSION=34 portregister emulab_syncd 16534 ";

  test("split at every byte, with pauses shorter than the hold, and ended by the half-close", async () => {
    for (let cut = 0; cut <= text.length; cut += 1) {
      const { tcp, clock } = start();
      const caller = new Caller(tcp, node1);
      caller.stream.write(text.slice(0, cut));
      await settle();
      clock.advance(tmcdTime.holdMs - 1);
      caller.stream.end(text.slice(cut));
      expect(await caller.reply).toBe("");
      const found = await ask(played, "node0", "portregister emulab_syncd");
      expect([cut, found]).toEqual([cut, "PORT=16534 NODEID=pc11.example.net\n"]);
    }
  });

  test("split at every byte on a connection that stays open", async () => {
    for (let cut = 1; cut < text.length; cut += 1) {
      const { tcp, clock } = start();
      const caller = new Caller(tcp, node1);
      caller.stream.write(text.slice(0, cut));
      await settle();
      clock.advance(tmcdTime.holdMs - 1);
      caller.stream.write(text.slice(cut));
      await settle();
      clock.advance(tmcdTime.holdMs);
      await caller.reply;
      expect(await ask(played, "node0", "portregister emulab_syncd")).toMatch(/^PORT=16534 /);
    }
  });

  test("a newline ends a request at once; the connection closes when nothing follows", async () => {
    const { tcp, clock } = start();
    const caller = new Caller(tcp, node1);
    caller.stream.write("status\n");
    await settle();
    expect(caller.heard).toBe(allocated);
    clock.advance(tmcdTime.holdMs);
    expect(await caller.reply).toBe(allocated);
  });

  test("requests in a row are answered in their order", async () => {
    const { world } = start();
    world.beforeQuery = () => (world.queries.length === 1 ? settle() : undefined);
    expect(await ask(played, "node1", "nodeid\nstatus\nrole\n")).toBe(
      `pc11\n${allocated}virthost\n`,
    );
  });

  test("as many in a row as the bound says, and not one more", async () => {
    const rows = (count: number): string => "nodeid\n".repeat(count);
    expect(await ask(start(), "node1", rows(requestsPerConnectionMax))).toBe(
      "pc11\n".repeat(requestsPerConnectionMax),
    );
    expect(await ask(start(), "node1", rows(requestsPerConnectionMax + 1))).toBe(
      "pc11\n".repeat(requestsPerConnectionMax),
    );
  });

  test("a console log keeps its newlines, and is whole after a longer pause", async () => {
    const { tcp, clock, world } = start();
    const seen: unknown[] = [];
    const { source } = world;
    const report = source.report.bind(source);
    Object.assign(world.config, {
      report: async (...args: Parameters<typeof report>) => void seen.push(args[1]),
    });
    const caller = new Caller(tcp, node1);
    caller.stream.write("VERSION=34 bootlog one\nsta");
    await settle();
    clock.advance(tmcdTime.bodyHoldMs - 1);
    caller.stream.write("tus\n\u00c3\u00a9\n", "latin1");
    await settle();
    clock.advance(tmcdTime.bodyHoldMs);
    await caller.reply;
    expect(seen).toEqual([{ kind: "upload", command: "bootlog", text: "one\nstatus\n\u00e9\n" }]);
  });
});

describe("silence and slowness", () => {
  test("a caller that says nothing is closed after 3 s", async () => {
    const { tcp, clock } = start();
    const caller = new Caller(tcp, node1);
    await settle();
    clock.advance(tmcdTime.silenceMs - 1);
    await settle();
    expect(caller.isOver).toBe(false);
    clock.advance(1);
    expect(await caller.reply).toBe("");
    expect(clock.pendingCount).toBe(0);
  });

  test("a caller that drips is closed in bounded time", async () => {
    const { tcp, clock } = start();
    const caller = new Caller(tcp, node1);
    for (let tick = 0; tick < 400 && !caller.isOver; tick += 1) {
      caller.stream.write("a");
      await settle();
      clock.advance(50);
    }
    expect(caller.isOver).toBe(true);
    expect(played.log.count("no whole request in time")).toBe(1);
  });

  test("a source that hangs holds up its own caller only, and not for ever", async () => {
    const { tcp, clock, world } = start();
    world.beforeQuery = () =>
      world.queries.length === 1 ? new Promise<void>(() => undefined) : undefined;
    const stuck = new Caller(tcp, node1);
    stuck.stream.end("status");
    await settle();
    expect(await ask(played, "node1", "status")).toBe(allocated);
    clock.advance(tmcdTime.answerMs);
    expect(await stuck.reply).toBe("");
    expect(played.log.count("did not come within")).toBe(1);
  });

  test("a source that fails is answered for with silence", async () => {
    const { world } = start();
    world.beforeQuery = () => Promise.reject(new Error("the database is away"));
    expect(await ask(played, "node1", "status")).toBe("");
    expect(await askUdp(played, "node1", "status")).toBeUndefined();
    expect(played.log.count("the database is away")).toBe(2);
  });

  test("a peer that does not close after its answer is dropped", async () => {
    const { tcp, clock } = start();
    const caller = new Caller(tcp, node1);
    caller.stream.write("status\n");
    await settle();
    clock.advance(tmcdTime.holdMs);
    await settle();
    expect(tcp.openCount).toBe(1);
    clock.advance(tmcdTime.lingerMs);
    await settle();
    expect(tcp.openCount).toBe(0);
  });
});

describe("limits", () => {
  test("a request of 16383 bytes is taken, one more is not", async () => {
    const head = "VERSION=34 status ";
    const longest = head + "x".repeat(requestBytesMaxTcp - head.length);
    expect(await ask(start(), "node1", longest)).toBe(allocated);
    expect(await ask(start(), "node1", `${longest}x`)).toBe("");
    expect(played.log.count("longer than 16383 bytes")).toBe(1);
  });

  test("a datagram of 2047 bytes is taken, one more is not", async () => {
    const longest = `status ${"x".repeat(requestBytesMaxUdp - 7)}`;
    expect(await askUdp(start(), "node1", longest)).toBe(allocated);
    expect(await askUdp(played, "node1", `${longest}x`)).toBeUndefined();
  });

  test("a reply of 8192 bytes goes into a datagram, a longer one is not sent", async () => {
    const { world } = start();
    const environment = (bytes: number) => {
      Object.assign(world.config, { userEnvironment: async () => [["A", "x".repeat(bytes - 3)]] });
    };
    environment(replyBytesMaxUdp);
    expect(await askUdp(played, "node1", "userenv")).toHaveLength(replyBytesMaxUdp);
    environment(replyBytesMaxUdp + 1);
    expect(await askUdp(played, "node1", "userenv")).toBeUndefined();
    expect(played.log.count("ask over TCP")).toBe(1);
    expect(await ask(played, "node1", "userenv")).toHaveLength(replyBytesMaxUdp + 1);
  });

  test("as many connections as the bound says; one more is closed at once", async () => {
    const { tcp } = start();
    for (let index = 0; index < connectionsMax; index += 1) new Caller(tcp, node1);
    expect(tcp.openCount).toBe(connectionsMax);
    const late = new Caller(tcp, node1);
    expect(await late.reply).toBe("");
    expect(tcp.openCount).toBe(connectionsMax);
  });

  test("as many datagrams at once as the bound says; one more is dropped", async () => {
    const { udp, world } = start();
    world.beforeQuery = () => new Promise<void>(() => undefined);
    const send = (): void => undefined;
    const from = { address: node1, port: 1, localAddress: "192.0.2.1", send };
    for (let index = 0; index <= datagramsInFlightMax; index += 1) {
      udp.receive(Buffer.from("status"), from);
    }
    expect(udp.inFlightCount).toBe(datagramsInFlightMax);
    expect(played.log.count("too many datagrams")).toBe(1);
  });
});

describe("garbage", () => {
  test("no bytes disturb the next caller", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.nat(200), async (bytes, cut) => {
        start();
        const { tcp, clock } = played;
        const caller = new Caller(tcp, addresses["stranger"] ?? "");
        caller.stream.write(bytes.subarray(0, cut));
        caller.stream.end(bytes.subarray(cut));
        await settle();
        clock.advance(tmcdTime.requestMs);
        expect(await caller.reply).toBe("");
        expect(
          await askUdp(played, "stranger", Buffer.from(bytes).toString("latin1")),
        ).toBeUndefined();
        expect(await ask(played, "node1", "status")).toBe(allocated);
      }),
      { numRuns: 60 },
    );
  });

  test("a request cut anywhere by a reset leaves nothing open", async () => {
    const text = "VERSION=34 status ";
    const { tcp, clock } = start();
    for (let cut = 0; cut <= text.length; cut += 1) {
      const caller = new Caller(tcp, node1);
      caller.stream.write(text.slice(0, cut));
      await settle();
      caller.stream.destroy();
      tcp.close();
      await settle();
      expect(tcp.openCount).toBe(0);
    }
    expect(clock.pendingCount).toBe(0);
  });

  test("the tag of TLS where there is no certificate", async () => {
    expect(await ask(start(), "node1", sslTag)).toBe("");
    expect(played.log.count("has no certificate")).toBe(1);
  });
});
