// SPDX-License-Identifier: MIT
// A Testground door for tests, on the real host with a chosen log, and clients that say what they
// are told to.
import { once } from "node:events";
import { WebSocket } from "ws";
import { type Limits, resolveLimits } from "../../../src/core/limits.ts";
import { Random } from "../../../src/core/random.ts";
import { Testground, type TestgroundOptions } from "../../../src/edges/testground/index.ts";
import { MemoryLog } from "../../../src/engine/memory-log.ts";
import { MemoryPayloads, type Payloads } from "../../../src/engine/payloads.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { Host } from "../../../src/host/host.ts";
import { type Logger, silentLogger } from "../../../src/host/logger.ts";
import { DelayingLog } from "../../../src/testing/delaying-log.ts";
import { DelayingPayloads } from "../../../src/testing/delaying-payloads.ts";
import {
  decodeResponse,
  encodeRequest,
  type Operation,
  type Response,
} from "../../../src/wire/testground/index.ts";

/** The logs that every behaviour is tried on. */
export const logKinds = ["memory log", "delaying log"] as const;
export type LogKind = (typeof logKinds)[number];

/** Keeps the lines. */
export class Lines implements Logger {
  readonly lines: string[] = [];
  log(level: string, message: string): void {
    this.lines.push(`${level}: ${message}`);
  }
}

export interface TestDoor {
  readonly door: Testground;
  readonly host: Host;
  readonly payloads: Payloads;
  readonly log: Lines;
  readonly port: number;
  close(): Promise<void>;
}

export interface TestDoorOptions extends Partial<Omit<TestgroundOptions, "limits">> {
  readonly limits?: Partial<Limits>;
}

/** A door on a core of its own, listening on a free port. */
export async function startDoor(kind: LogKind, options: TestDoorOptions = {}): Promise<TestDoor> {
  const limits = resolveLimits(options.limits);
  const inner = new MemoryLog({ nowUs: systemClock.nowUs });
  const memory = new MemoryPayloads();
  const clock = systemClock;
  const faults = {
    appendDelayMsMax: 3,
    deliveryDelayMsMax: 3,
    definiteFailure: 0.15,
    indefiniteFailure: 0.15,
  };
  const isDelaying = kind === "delaying log";
  const random = new Random(4711);
  const log = isDelaying ? new DelayingLog({ inner, clock, random, faults }) : inner;
  const payloads = isDelaying
    ? new DelayingPayloads({ inner: memory, clock, random, delayMsMax: 3 })
    : memory;
  const host = new Host({ log, payloads, clock, limits, logger: silentLogger });
  await host.start();
  const lines = new Lines();
  const door = new Testground({
    scope: "test",
    edge: "test/testground",
    connect: host.connectEdge,
    topics: host.topics,
    clock,
    logger: lines,
    addresses: ["127.0.0.1"],
    port: 0,
    ...options,
    limits,
  });
  const port = await door.listen();
  return {
    ...{ door, host, payloads, log: lines, port },
    async close() {
      await door.close();
      await host.close();
    },
  };
}

/** How a connection ended. */
export interface End {
  readonly code: number;
  readonly reason: string;
}

/** A client that keeps what it gets. */
export class TestClient {
  readonly socket: WebSocket;
  readonly got: Response[] = [];
  readonly ended: Promise<End>;
  #waiting: (() => void)[] = [];

  constructor(port: number, options: { readonly host?: string; readonly deflate?: boolean } = {}) {
    const { host = "127.0.0.1", deflate = false } = options;
    this.socket = new WebSocket(`ws://${host}:${port}`, { perMessageDeflate: deflate });
    this.socket.on("message", (data: Buffer) => {
      const response = decodeResponse(data.toString("utf8"));
      if (response !== undefined) this.got.push(response);
      this.#wake();
    });
    this.socket.on("error", () => undefined);
    this.ended = new Promise((resolve) => {
      this.socket.on("close", (code, reason) => {
        resolve({ code, reason: reason.toString() });
        this.#wake();
      });
    });
  }

  static async open(...args: ConstructorParameters<typeof TestClient>): Promise<TestClient> {
    const client = new TestClient(...args);
    await once(client.socket, "open");
    return client;
  }

  ask(id: string, operation?: Operation, isCancel = false): void {
    const request = operation === undefined ? { id, isCancel } : { id, isCancel, operation };
    this.socket.send(encodeRequest(request));
  }

  /** The answers with this id. */
  of(id: string): readonly Response[] {
    return this.got.filter((response) => response.id === id);
  }

  /** The answer with this id, or the `count`th; waits for it. */
  async answer(id: string, count = 1): Promise<Response> {
    for (;;) {
      const found = this.of(id)[count - 1];
      if (found !== undefined) return found;
      if (this.socket.readyState > this.socket.OPEN) {
        throw new Error(`the connection ended before answer ${count} to ${id}`);
      }
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
  }

  async close(): Promise<End> {
    this.socket.close();
    return this.ended;
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

/** Resolves when `isTrue` is; looks each turn of the event loop. */
export async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise<void>((resolve) => systemClock.endOfTurn(resolve));
}
