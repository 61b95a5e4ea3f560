// SPDX-License-Identifier: MIT
// Goal: a peer that does not read what it is told costs a bounded amount, is read from no more, and
// hears everything once it reads again, in order, each once (L5, K2). Method: the host under
// virtual time, a transport that is full when the test says so.
import { describe, expect, it } from "vitest";
import type { Command } from "../../../src/core/command.ts";
import { EdgeConnection } from "../../../src/host/edge-connection.ts";
import { silentLogger } from "../../../src/host/logger.ts";
import { wait } from "../../../src/testing/core-driver.ts";
import type { CoreFrame } from "../../../src/wire/link/frames.ts";
import { linkFormat } from "../../../src/wire/link/frames.ts";
import { HostBench } from "./host-bench.ts";

const queueBytesMax = 1_000;

/** A peer that takes what it is sent only when `read` is called. */
class SlowPeer {
  readonly heard: CoreFrame[] = [];
  readonly connection: EdgeConnection;
  reading = true;
  destroyed = false;
  queuedMax = 0;
  #queued: string[] = [];
  #number = 0;

  constructor(bench: HostBench, canPause: boolean) {
    const peer = this;
    this.connection = new EdgeConnection({
      ...{ host: bench.host, logger: silentLogger, queueBytesMax },
      admit: () => ({ edge: "slow", rights: { kind: "all" } }),
      transport: {
        get isOpen() {
          return !peer.destroyed;
        },
        get queuedBytes() {
          return peer.#queuedBytes;
        },
        send: (text) => {
          peer.#queued.push(text);
          peer.queuedMax = Math.max(peer.queuedMax, peer.#queuedBytes);
        },
        ...(canPause
          ? {
              setReading: (isReading: boolean) => {
                peer.reading = isReading;
              },
            }
          : {}),
        end: () => undefined,
        destroy: () => {
          peer.destroyed = true;
        },
      },
    });
    const hello = { kind: "hello", format: linkFormat, edge: "slow", incarnation: 1 };
    this.connection.receive({ ...hello, acknowledged: 0, seen: 0 });
    this.say({ kind: "attach" });
  }

  say(...commands: readonly Command[]): void {
    this.#number += 1;
    this.connection.receive({ kind: "batch", number: this.#number, commands });
  }

  /** Takes everything that is on its way, and says what it has. */
  read(): void {
    const texts = this.#queued;
    this.#queued = [];
    for (const text of texts) {
      const frame = JSON.parse(text) as CoreFrame;
      this.heard.push(frame);
      if (frame.kind !== "effects") continue;
      this.connection.receive({ kind: "seen", sequence: frame.sequence });
    }
    this.connection.sent();
  }

  get released(): readonly number[] {
    return this.heard
      .flatMap((frame) => (frame.kind === "effects" ? frame.effects : []))
      .flatMap((effect) => (effect.kind === "released" ? effect.connections : []));
  }

  get #queuedBytes(): number {
    return this.#queued.reduce((sum, text) => sum + text.length, 0);
  }
}

async function play(bench: HostBench, peer: SlowPeer, count: number): Promise<void> {
  for (let at = 1; at <= count; at += 1) peer.say(wait(at, { barrier: `b${at}` }));
  await bench.clock.pass(100_000);
  const driver = bench.local("driver");
  for (let at = 1; at <= count; at += 1) {
    driver.link.submit({ kind: "cancel", scope: "s", barrier: `b${at}`, error: at });
    await bench.clock.pass(1_000);
  }
}

describe("a peer that does not read", () => {
  it("L5 is read from no more, keeps its link, and hears everything once, in order", async () => {
    const bench = new HostBench();
    await bench.start();
    const peer = new SlowPeer(bench, true);
    await bench.clock.pass(1_000);
    peer.read();
    await play(bench, peer, 50);
    expect(peer.reading).toBe(false);
    expect(peer.destroyed).toBe(false);
    // One frame past the bound, and answers to what had been taken before.
    const wholeBytes = 50 * 150;
    expect(peer.queuedMax).toBeLessThan(wholeBytes);
    for (let turn = 0; turn < 50; turn += 1) {
      peer.read();
      await bench.clock.pass(1_000);
    }
    expect(peer.reading).toBe(true);
    expect(peer.released).toEqual(Array.from({ length: 50 }, (_, at) => at + 1));
  });

  it("L5 loses its link where reading from it cannot be stopped", async () => {
    const bench = new HostBench();
    await bench.start();
    const peer = new SlowPeer(bench, false);
    await bench.clock.pass(1_000);
    peer.read();
    await play(bench, peer, 50);
    expect(peer.destroyed).toBe(true);
  });
});
