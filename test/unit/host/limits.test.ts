// SPDX-License-Identifier: MIT
// Limits of the host and its links, each at its value and one past it.
import { describe, expect, it } from "vitest";
import { FrameReader } from "../../../src/host/frame-reader.ts";
import { initOnly, wait } from "../../../src/testing/core-driver.ts";
import { FrameError } from "../../../src/wire/link/frames.ts";
import { HostBench } from "./host-bench.ts";

describe.each(["local", "remote"] as const)("mailboxCommandsMax over a %s link", (kind) => {
  const limits = { mailboxCommandsMax: 6, entryCommandsMax: 2 };

  it("submit() is false when the mailbox is full, and onRoom follows when half is free", async () => {
    const bench = new HostBench({ limits });
    await bench.start();
    const { link, events } = bench[kind]("e");
    // The attach of the edge is the first of the six.
    const taken = [1, 2, 3, 4, 5, 6, 7].map((connection) => link.submit(wait(connection)));
    expect(taken).toEqual([true, true, true, true, true, false, false]);
    expect(events).toEqual([]);
    await bench.clock.pass(1_000_000);
    expect(events).toEqual(["room"]);
    expect(link.submit(wait(8))).toBe(true);
    await bench.clock.pass(1_000_000);
    const commands = (await bench.commands()).filter((text) => text.startsWith("e count"));
    expect(commands).toEqual([1, 2, 3, 4, 5, 8].map((connection) => `e count-wait ${connection}`));
  });

  it("close() ends the edge although the mailbox is full", async () => {
    const bench = new HostBench({ limits });
    await bench.start();
    const { link } = bench[kind]("e");
    while (link.submit(wait(1))) {
      // Until it is full.
    }
    const closing = link.close();
    expect(link.submit(wait(2))).toBe(false);
    await bench.clock.pass(1_000_000);
    await closing;
    await link.close();
    const commands = (await bench.commands()).filter((text) => text.startsWith("e "));
    expect(commands.at(-1)).toBe("e end-edge");
  });
});

describe("mailboxCommandsMax and parties that go", () => {
  it("whoever goes while the mailbox is full is not counted when it has room again", async () => {
    const bench = new HostBench({ limits: { mailboxCommandsMax: 4, entryCommandsMax: 4 } });
    await bench.start();
    const { link, effects } = bench.local("e");
    link.submit(wait(1));
    await bench.clock.pass(1_000_000);
    while (link.submit(wait(2, { barrier: "x" }))) {
      // Until it is full.
    }
    expect(link.submit({ kind: "leave", connection: 1 })).toBe(true);
    await bench.clock.pass(1_000_000);
    link.submit(initOnly(8, 1));
    await bench.clock.pass(1_000_000);
    expect(effects.join()).not.toContain("crossed");
    link.submit(wait(9));
    await bench.clock.pass(1_000_000);
    expect(effects).toContain("crossed b.2 0 [9]");
  });
});

describe("mailboxCommandsMax and topics", () => {
  it("an edge that follows no more while the mailbox is full is told nothing of the topic", async () => {
    const bench = new HostBench({ limits: { mailboxCommandsMax: 4, entryCommandsMax: 4 } });
    await bench.start();
    const { link, effects } = bench.local("e");
    const place = { scope: "t", topic: "t", connection: 1 } as const;
    link.submit({ kind: "topic-follow", ...place });
    await bench.clock.pass(1_000_000);
    expect(effects).toEqual(["topic-stands"]);
    while (link.submit(wait(2))) {
      // Until it is full.
    }
    link.submit({ kind: "topic-unfollow", scope: "t", topic: "t" });
    await bench.clock.pass(1_000_000);
    const payload = { id: 1, bytes: 1, hash: 1 };
    link.submit({ kind: "publish", ...place, payload });
    await bench.clock.pass(1_000_000);
    const told = effects.filter((effect) => !effect.startsWith("refused"));
    expect(told).toEqual(["topic-stands", "published 1"]);
  });
});

describe("mailboxCommandsMax and a lost link", () => {
  it("an edge with a full mailbox still says that it is back", async () => {
    const limits = { mailboxCommandsMax: 4, entryCommandsMax: 4, edgeLeaseUs: 2_000_000 };
    const bench = new HostBench({ limits });
    await bench.start();
    const { link, effects, events } = bench.remote("e");
    link.submit(wait(1));
    await bench.clock.pass(1_000);
    bench.pipes.at(-1)?.cut();
    await bench.clock.pass(0);
    while (link.submit(wait(2, { barrier: "x" }))) {
      // Until it is full.
    }
    await bench.clock.pass(20_000_000);
    expect(events.filter((event) => event !== "room")).toEqual(["down", "up"]);
    link.submit(initOnly(9, 1));
    await bench.clock.pass(1_000);
    expect(effects).toContain("crossed b.1 0 [1]");
  });
});

describe("entryCommandsMax", () => {
  it("holds for every batch that is appended", async () => {
    const bench = new HostBench({ limits: { entryCommandsMax: 3 } });
    await bench.start();
    const { link } = bench.local("e");
    const sizes: number[] = [];
    bench.host.observe(({ entry }) => {
      for (const { edge, commands } of entry.batches) if (edge === "e") sizes.push(commands.length);
    });
    for (let connection = 1; connection <= 8; connection += 1) link.submit(wait(connection));
    await bench.clock.pass(1_000_000);
    expect(sizes).toEqual([3, 3, 3]);
  });

  it("holds for what is appended again after failures", async () => {
    const limits = { entryCommandsMax: 3, appendsInFlightMax: 8 };
    const bench = new HostBench({ limits, faults: { definiteFailure: 0.5 } });
    await bench.start();
    const { link } = bench.local("e");
    const sizes: number[] = [];
    bench.host.observe(({ entry }) => {
      sizes.push(entry.batches.flatMap(({ commands }) => commands).length);
    });
    for (let connection = 1; connection <= 60; connection += 1) link.submit(wait(connection));
    await bench.clock.pass(60_000_000);
    expect(bench.host.describe("s").barriers[0]).toMatchObject({ arrived: 60 });
    expect(Math.max(...sizes)).toBeLessThanOrEqual(3);
  });
});

describe("linkFrameBytesMax", () => {
  const frame = (bytes: number) => Buffer.from(`{"x":"${"a".repeat(bytes - 8)}"}\n`);

  it("FrameReader takes a frame of the limit and refuses one byte more, however it is cut", () => {
    for (const cut of [1, 10, 63, 64, 65, 1000]) {
      const push = (buffer: Buffer): number => {
        const reader = new FrameReader(64);
        let frames = 0;
        for (let at = 0; at < buffer.length; at += cut) {
          frames += reader.push(buffer.subarray(at, at + cut)).length;
        }
        return frames;
      };
      expect(push(frame(64))).toBe(1);
      expect(push(Buffer.concat([frame(64), frame(64)]))).toBe(2);
      expect(() => push(frame(65))).toThrow(FrameError);
      expect(() => push(frame(65))).toThrow("limit linkFrameBytesMax");
    }
  });
});

describe("linkQueueBytesMax", () => {
  it("drops a link whose edge does not read, and keeps what it has not seen", async () => {
    const limits = { linkFrameBytesMax: 4_096, linkQueueBytesMax: 4_096, edgeLeaseUs: 9_000_000 };
    const bench = new HostBench({ limits });
    await bench.start();
    const { link, effects } = bench.remote("e");
    link.submit(initOnly(1, 1));
    await bench.clock.pass(1_000);
    const pipe = bench.pipes.at(-1);
    // A stream whose peer takes nothing keeps what is written to it.
    Object.defineProperty(pipe?.server, "writableLength", { value: 4_097 });
    link.submit(wait(2));
    await bench.clock.pass(2_000_000);
    expect(bench.pipes.length).toBe(2);
    expect(effects).toEqual(["acknowledged 1", "crossed b.1 0 [2]"]);
  });
});
