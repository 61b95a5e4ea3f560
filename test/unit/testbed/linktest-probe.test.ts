// SPDX-License-Identifier: MIT
// Goal: a probe counts as sent only what the kernel took, and makes no burst of what it is late
// with. Method: one end with real sockets of this process; for bursts, a clock that jumps.
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import { type Clock, systemClock } from "../../../src/host/clock.ts";
import { Probe } from "../../../src/testbed/linktest/probe.ts";
import type { ProbeStep, SendStep, StepAnswer } from "../../../src/testbed/linktest/probe-order.ts";
import {
  decodePacket,
  encodePacket,
  type ProbePacket,
} from "../../../src/testbed/linktest/probe-packet.ts";

const address = "127.0.0.1";
const packets = 40;
const send: SendStep = {
  ...{ packets, payloadBytes: 20, intervalUs: 1_000, burstPacketsMax: 16, giveUpMs: 20_000 },
};

const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close();
});

async function bound(): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.bind(0, address);
  await once(socket, "listening");
  sockets.push(socket);
  return socket;
}

async function play(
  port: number,
  clock: Clock,
  step: Partial<ProbeStep> = { send },
): Promise<StepAnswer | undefined> {
  const probe = await Probe.open(
    {
      ...{ session: 7, own: { address, port: 0 }, peer: { address, port } },
      meeting: { address, port: 0, barrier: "", timeoutMs: 0 },
      steps: [{ ...step, timeoutMs: 30_000 }],
    },
    clock,
  );
  try {
    return (await probe.play())[0];
  } finally {
    probe.close();
  }
}

describe("a probe that sends", () => {
  it("counts what the kernel took, and not what it refused", async () => {
    const listening = await bound();
    expect((await play(listening.address().port, systemClock))?.sent?.packets).toBe(packets);
    const { port } = listening.address();
    sockets.splice(0);
    listening.close();
    // Told that nobody is there, the kernel refuses the next packet.
    expect((await play(port, systemClock))?.sent?.packets).toBeLessThan(packets);
  });

  it("that was kept from running sends on in short bursts, until it has sent all", async () => {
    const listening = await bound();
    const came: ProbePacket[] = [];
    const last = new Promise<void>((resolve) => {
      listening.on("message", (bytes) => {
        const packet = decodePacket(bytes);
        if (packet?.kind === "data") came.push(packet);
        if (packet?.kind === "end") resolve();
      });
    });
    let nowUs = 1_000_000;
    const clock: Clock = {
      ...systemClock,
      nowUs: () => nowUs,
      after: (ms, callback) =>
        systemClock.after(ms > 100 ? ms : 0, () => {
          nowUs += 100_000;
          callback();
        }),
    };
    expect((await play(listening.address().port, clock))?.sent?.packets).toBe(packets);
    await last;
    expect(came.map(({ number }) => number)).toEqual(
      Array.from({ length: packets }, (_, at) => at),
    );
    const bursts = [...new Set(came.map(({ stampUs }) => stampUs))].map(
      (stampUs) => came.filter((one) => one.stampUs === stampUs).length,
    );
    // One at the start; then 100 ms late at each turn.
    expect(bursts).toEqual([1, 16, 16, 7]);
  });
});

describe("a probe that pings", () => {
  it("counts an answer once that comes twice", async () => {
    const listening = await bound();
    listening.on("message", (bytes, { port }) => {
      const packet = decodePacket(bytes);
      if (packet?.kind !== "ping") return;
      const answer = Buffer.alloc(bytes.length);
      encodePacket({ ...packet, kind: "pong" }, new DataView(answer.buffer, answer.byteOffset));
      for (let times = 0; times < 2; times += 1) listening.send(answer, port, address);
    });
    const ping = { count: 5, intervalMs: 1, waitMs: 20_000 };
    const answer = await play(listening.address().port, systemClock, { ping });
    expect(answer?.ping).toMatchObject({ sent: 5 });
    expect([answer?.ping?.thereUs.length, answer?.ping?.backUs.length]).toEqual([5, 5]);
  });
});
