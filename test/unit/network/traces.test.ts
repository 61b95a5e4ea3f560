// SPDX-License-Identifier: MIT
// Goal: what a trace writes is a pcap file that others read, of whole records, within its bounds,
// whatever the disk does (T1 to T4); an end by itself is told once. Method: bytes by the format's
// own description, the shipped classes with small bounds, real files.
import { execFileSync } from "node:child_process";
import { constants, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DelayNodeTracer } from "../../../src/network/delay-node/delay-node-tracer.ts";
import { RunTraces } from "../../../src/network/delay-node/run-traces.ts";
import type {
  ShaperOrder,
  ShaperRequest,
  ShaperSays,
} from "../../../src/network/delay-node/shaper-messages.ts";
import type { TraceOrder } from "../../../src/network/link-tracer.ts";
import { PacketTrace, type TracedChunk } from "../../../src/network/packet-trace.ts";
import { PcapWriter, pcapFileHeader } from "../../../src/network/pcap-writer.ts";
import { TraceFile } from "../../../src/network/trace-files.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "muster-test-traces-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

function orderOf(more: Partial<TraceOrder> = {}): TraceOrder {
  return {
    ...{ link: "l0", member: 0, ways: ["sent", "received"], kind: "packets", snapBytes: 4 },
    ...{ countMax: 0, path: join(directory, "trace") },
    ...more,
  };
}

describe("PcapWriter", () => {
  it("writes what the format says", () => {
    expect(hex(pcapFileHeader(0x40000))).toBe(
      "d4c3b2a1020004000000000000000000" + "0000040001000000",
    );
    const writer = new PcapWriter(4, 100);
    expect(writer.put(1_700_000_000_000_123, Uint8Array.of(9, 9, 1, 2, 3, 4, 5, 6), 2)).toBe(true);
    expect(hex(writer.take())).toBe("00f153657b0000000400000006000000" + "01020304");
  });

  it("refuses a record that does not fit, and takes one of any size when it is empty", () => {
    const writer = new PcapWriter(1_000, 40);
    expect(writer.put(0, new Uint8Array(4), 0)).toBe(true);
    expect(writer.put(0, new Uint8Array(4), 0)).toBe(true);
    expect(writer.put(0, new Uint8Array(4), 0)).toBe(false);
    expect(writer.take()).toHaveLength(40);
    expect(writer.put(0, new Uint8Array(500), 0)).toBe(true);
    expect(writer.take()).toHaveLength(516);
    expect(writer.take()).toHaveLength(0);
  });
});

function packetTrace(more: Partial<TraceOrder> = {}) {
  const chunks: TracedChunk[] = [];
  let counted = 0;
  const trace: PacketTrace = new PacketTrace({
    ...{ id: 7, order: orderOf(more), frameAt: 2, wallOffsetUs: 5_000_000 },
    send: (chunk) => chunks.push(chunk),
    onCounted: () => {
      counted += 1;
      trace.finish();
    },
  });
  return { trace, chunks, counted: () => counted };
}

describe("PacketTrace", () => {
  const packet = Uint8Array.of(0, 0, 1, 2, 3, 4, 5, 6);

  it("takes the ways it is for, while it is not paused", () => {
    const { trace, chunks } = packetTrace({ ways: ["received"], isPaused: true });
    trace.take("received", 0, packet);
    trace.isPaused = false;
    trace.take("sent", 1, packet);
    trace.take("received", 2, packet);
    trace.isPaused = true;
    trace.take("received", 3, packet);
    trace.isPaused = false;
    trace.take("received", 4, packet);
    trace.finish();
    expect(chunks.map(({ trace: id, packets, bytes }) => [id, packets, bytes.length])).toEqual([
      [7, 2, 40],
    ]);
    expect(hex(chunks[0]?.bytes.subarray(0, 8) ?? new Uint8Array())).toBe("0500000002000000");
  });

  it("says how long a packet was of which it has only the beginning", () => {
    const { trace, chunks } = packetTrace();
    trace.take("sent", 1, packet, 1_500);
    trace.take("sent", 2, packet.subarray(0, 4), 60);
    trace.finish();
    const bytes = hex(chunks[0]?.bytes ?? new Uint8Array());
    expect(bytes.slice(16)).toBe(
      "04000000dc05000001020304" + "0500000002000000" + "020000003c0000000102",
    );
    const counts = packetTrace({ kind: "counts" });
    counts.trace.take("sent", 1, packet, 1_500);
    counts.trace.finish();
    expect(String(Buffer.from(counts.chunks[0]?.bytes ?? []))).toBe("5,1,1500,0,0\n");
  });

  it("ends with the last packet that it is to have, which has gone out then (T1)", () => {
    const { trace, chunks, counted } = packetTrace({ countMax: 2 });
    for (let at = 0; at < 5; at++) trace.take("sent", at, packet);
    expect([chunks.map(({ packets }) => packets), counted()]).toEqual([[2], 1]);
  });

  it("takes what a filter lets pass, and counts no other as one of those it is to have", () => {
    // The first byte of the frame is 7.
    const filter = [
      [0x30, 0, 0, 0],
      [0x15, 0, 1, 7],
      [0x06, 0, 0, 1],
      [0x06, 0, 0, 0],
    ] as const;
    const { trace, chunks } = packetTrace({ filter, countMax: 2 });
    for (const first of [1, 7, 2, 7, 7]) trace.take("sent", 1, Uint8Array.of(7, 7, first, 3));
    expect(chunks.map(({ packets, bytes }) => [packets, bytes.length])).toEqual([[2, 36]]);
  });

  it("counts in place of keeping, a line for each second in which there was something", () => {
    const { trace, chunks } = packetTrace({ kind: "counts" });
    trace.take("sent", 1, packet);
    trace.take("received", 999_999, packet);
    trace.take("sent", 3_000_000, packet);
    trace.finish();
    trace.finish();
    const lines = chunks.map(({ bytes, packets }) => `${packets}: ${Buffer.from(bytes)}`);
    expect(lines).toEqual(["2: 5,1,6,1,6\n", "1: 8,1,6,0,0\n"]);
  });
});

describe("TraceFile", () => {
  const limits = { captureBytesMax: 24 + 60, tracePendingBytesMax: 60 };

  it("has as many bytes as it may and not one more (T2), and begins anew when it is rolled", async () => {
    const file = await TraceFile.create(orderOf(), limits);
    expect(file.append(new Uint8Array(59), 3)).toBe(true);
    expect(file.append(new Uint8Array(2), 1)).toBe(false);
    expect(file.append(new Uint8Array(1), 1)).toBe(false);
    expect(file.counts).toMatchObject({ packets: 3, isFull: true });
    await file.roll(join(directory, "first"));
    expect(file.append(new Uint8Array(60), 1)).toBe(true);
    expect(await file.end()).toEqual({
      packets: 4,
      bytes: 2 * 24 + 119,
      dropped: 0,
      isFull: false,
    });
    const sizes = ["first", "trace"].map((name) => readFileSync(join(directory, name)).length);
    expect(sizes).toEqual([24 + 59, 24 + 60]);
  });

  it("drops and counts what the disk does not take in time (T3)", async () => {
    const file = await TraceFile.create(orderOf(), { ...limits, captureBytesMax: 1_000 });
    expect(file.append(new Uint8Array(60), 1)).toBe(true);
    expect(file.append(new Uint8Array(1), 2)).toBe(true);
    expect(file.counts).toMatchObject({ packets: 1, dropped: 2 });
    await file.roll(join(directory, "first"));
    expect(file.append(new Uint8Array(1), 1)).toBe(true);
    expect(await file.end()).toMatchObject({ packets: 2, dropped: 2 });
  });

  it("says what the file system says", async () => {
    await expect(TraceFile.create(orderOf({ path: "/nowhere/trace" }))).rejects.toThrow(/ENOENT/);
    const file = await TraceFile.create(orderOf());
    await expect(file.roll("/nowhere/first")).rejects.toThrow(/ENOENT/);
    expect(file.append(new Uint8Array(1), 1)).toBe(false);
    expect((await file.end()).problem).toMatch(/ENOENT/);
  });

  it("ends with a whole record where the disk is full, and says what it lacks (T4)", async () => {
    const file = await TraceFile.create(orderOf());
    expect(file.append(new Uint8Array(60), 2)).toBe(true);
    // Of this one only the beginning is written.
    const cut = [new Uint8Array(10), 5] as unknown as Uint8Array;
    expect(file.append(cut, 3)).toBe(true);
    expect(file.append(new Uint8Array(60), 4)).toBe(true);
    expect(await file.end()).toEqual({
      ...{ packets: 2, bytes: 84, dropped: 7, isFull: false, problem: expect.any(String) },
    });
    expect(readFileSync(join(directory, "trace"))).toHaveLength(84);
  });

  it("says so of one that somebody has removed", async () => {
    const file = await TraceFile.create(orderOf());
    expect(file.append(new Uint8Array(60), 2)).toBe(true);
    rmSync(join(directory, "trace"));
    expect((await file.end()).problem).toBe("it was removed while it was written");
  });

  it("does not wait for a FIFO", async () => {
    execFileSync("mkfifo", [join(directory, "fifo")]);
    const order = orderOf({ path: join(directory, "fifo") });
    await expect(TraceFile.create(order)).rejects.toThrow(/is a FIFO/);
    const reader = await open(order.path, constants.O_RDONLY | constants.O_NONBLOCK);
    await expect(TraceFile.create(order)).rejects.toThrow(/is a FIFO/);
    await reader.close();
  });
});

describe("RunTraces", () => {
  function make() {
    const said: ShaperSays[] = [];
    const sent: ShaperRequest[] = [];
    const waiting: (() => void)[] = [];
    const wake = (): void => waiting.splice(0).forEach((one) => void one());
    const traces = new RunTraces({
      say: (what) => {
        said.push(what);
        wake();
      },
      send: (request) => {
        sent.push(request);
        wake();
      },
    });
    const until = async (there: () => boolean): Promise<void> => {
      while (!there()) await new Promise<void>((resolve) => waiting.push(resolve));
    };
    const ask = (id: number, order: ShaperOrder): void => traces.pass({ id, thread: 3, order });
    return { traces, said, sent, until, ask };
  }

  it("has a thread begin when the file is there, and says when it cannot be made", async () => {
    const { said, sent, until, ask } = make();
    ask(1, { kind: "trace", trace: 1, order: orderOf({ path: "/nowhere/trace" }) });
    await until(() => said.length === 1);
    expect([said[0]?.kind, sent]).toEqual(["answer", []]);
    expect(said[0]).toMatchObject({ id: 1, error: expect.stringContaining("ENOENT") });
    ask(2, { kind: "trace", trace: 2, order: orderOf() });
    await until(() => sent.length === 1);
    expect(readFileSync(join(directory, "trace"))).toHaveLength(24);
  });

  it("tells a thread of an end behind the beginning, also when the file takes long", async () => {
    const { sent, until, ask } = make();
    ask(1, { kind: "trace", trace: 1, order: orderOf() });
    ask(2, { kind: "trace-end", trace: 1 });
    await until(() => sent.length === 2);
    expect(sent.map(({ order }) => order.kind)).toEqual(["trace", "trace-end"]);
  });

  it("answers for an end when everything is in the file", async () => {
    const { traces, said, sent, until, ask } = make();
    ask(1, { kind: "trace", trace: 1, order: orderOf() });
    await until(() => sent.length === 1);
    ask(2, { kind: "trace-end", trace: 1 });
    traces.hear({ kind: "traced", trace: 1, bytes: new Uint8Array(20), packets: 1 });
    traces.hear({ kind: "answer", id: 2 });
    await until(() => said.length === 1);
    expect(said).toEqual([
      {
        ...{ kind: "answer", id: 2 },
        traced: { packets: 1, bytes: 44, dropped: 0, isFull: false },
      },
    ]);
    expect(readFileSync(join(directory, "trace"))).toHaveLength(44);
  });

  it("tells once of one that has ended by itself", async () => {
    const { traces, said, sent, until, ask } = make();
    ask(1, { kind: "trace", trace: 1, order: orderOf() });
    await until(() => sent.length === 1);
    traces.hear({ kind: "trace-ended", trace: 1 });
    traces.hear({ kind: "trace-ended", trace: 1 });
    await until(() => said.length === 1);
    ask(2, { kind: "trace-end", trace: 1 });
    traces.hear({ kind: "answer", id: 2 });
    await until(() => said.length === 2);
    expect(said.map(({ kind }) => kind)).toEqual(["trace-ended", "answer"]);
  });
});

describe("DelayNodeTracer", () => {
  it("says why a trace has ended that nobody had ended", async () => {
    const ask = async () => ({ kind: "answer", id: 1 }) as const;
    const tracer = new DelayNodeTracer({ threadOf: () => 0, ask });
    const trace = await tracer.begin(orderOf());
    const counts = { packets: 1, bytes: 44, dropped: 0, isFull: false };
    tracer.ended({ kind: "trace-ended", trace: 1, counts, error: "ENOSPC: no space left" });
    expect(await trace.ended).toEqual({ ...counts, problem: "ENOSPC: no space left" });
  });

  it("ends a trace also when it was told too late that it has begun", async () => {
    const orders: string[] = [];
    const ask = async (_thread: number, order: ShaperOrder) => {
      orders.push(order.kind);
      throw new Error("the delay node does not answer");
    };
    const tracer = new DelayNodeTracer({ threadOf: () => 0, ask });
    await expect(tracer.begin(orderOf())).rejects.toThrow(/does not answer/);
    expect(orders).toEqual(["trace", "trace-end"]);
  });

  it("says that nothing is known of a trace when there is nobody to end it", async () => {
    let isGone = false;
    const ask = async () => {
      if (isGone) throw new Error("the delay node has ended");
      return { kind: "answer", id: 1 } as const;
    };
    const tracer = new DelayNodeTracer({ threadOf: () => 0, ask });
    const [first, second] = [await tracer.begin(orderOf()), await tracer.begin(orderOf())];
    isGone = true;
    const problem = "the delay node has ended";
    expect(await first.end()).toMatchObject({ packets: 0, problem });
    tracer.close();
    expect(await second.ended).toMatchObject({ packets: 0, problem });
  });

  it("has as many traces as it may, says so beyond, and has room again after one", async () => {
    const orders: ShaperOrder[] = [];
    const tracer = new DelayNodeTracer({
      threadOf: () => 0,
      ask: async (_thread, order) => {
        orders.push(order);
        return { kind: "answer", id: 1 };
      },
      tracesMax: 2,
    });
    const first = await tracer.begin(orderOf());
    await tracer.begin(orderOf());
    await expect(tracer.begin(orderOf())).rejects.toThrow(/^2 traces .*\(tracesMax\); end one/);
    await Promise.all([first.end(), first.end()]);
    await tracer.begin(orderOf());
    expect(orders.map(({ kind }) => kind)).toEqual(["trace", "trace", "trace-end", "trace"]);
  });
});
