// SPDX-License-Identifier: MIT
// A sync server for tests: on the real host with a chosen log, or on a core that the test plays.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type Duplex, duplexPair } from "node:stream";
import type { Command } from "../../../src/core/command.ts";
import type { ScopeDescription } from "../../../src/core/description.ts";
import type { EdgeEffect } from "../../../src/core/effect.ts";
import { type Limits, resolveLimits } from "../../../src/core/limits.ts";
import { Random } from "../../../src/core/random.ts";
import { edgeTime } from "../../../src/edges/edge-time.ts";
import { Syncd, type SyncdOptions } from "../../../src/edges/syncd/index.ts";
import { MemoryLog } from "../../../src/engine/memory-log.ts";
import { type Clock, systemClock } from "../../../src/host/clock.ts";
import type { ConnectEdge, EdgeHandler } from "../../../src/host/core-link.ts";
import { Host } from "../../../src/host/host.ts";
import { type Logger, silentLogger } from "../../../src/host/logger.ts";
import { DelayingLog } from "../../../src/testing/delaying-log.ts";
import {
  encodeRequest,
  type RequestFormat,
  type SyncRequest,
} from "../../../src/wire/emulab-sync/index.ts";

export const v2: RequestFormat = { version: 2, byteOrder: "little" };
export const v1: RequestFormat = { version: 1, byteOrder: "little" };

export function wait(name = "barrier", error = 0): SyncRequest {
  return { kind: "wait", name, error };
}

export function init(count: number, waits = true, name = "barrier", error = 0): SyncRequest {
  return { kind: "init", name, count, waits, error };
}

/** Keeps the lines. */
export class Lines implements Logger {
  readonly lines: string[] = [];
  log(_level: string, message: string): void {
    this.lines.push(message);
  }
  /** How many lines contain the text. */
  count(text: string): number {
    return this.lines.filter((line) => line.includes(text)).length;
  }
}

/** The system's clock, as if each second took so much less: for times that are waited for. */
export function fastClock(speed: number): Clock {
  return {
    ...systemClock,
    nowUs: () => systemClock.nowUs() * speed,
    after: (delayMs, callback) => systemClock.after(delayMs / speed, callback),
  };
}

/** Time that passes when the test says so. */
export class ManualClock implements Clock {
  #nowUs = 1_000_000;
  #timers: { dueUs: number; callback: () => void }[] = [];
  nowUs(): number {
    return this.#nowUs;
  }
  wallMs(): number {
    return 0;
  }
  after(delayMs: number, callback: () => void): () => void {
    const timer = { dueUs: this.#nowUs + delayMs * 1000, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }
  endOfTurn(callback: () => void): void {
    setImmediate(callback);
  }
  get pendingCount(): number {
    return this.#timers.length;
  }
  advance(byMs: number): void {
    const endUs = this.#nowUs + byMs * 1000;
    for (;;) {
      const [next] = this.#timers
        .filter(({ dueUs }) => dueUs <= endUs)
        .sort((left, right) => left.dueUs - right.dueUs);
      if (next === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== next);
      this.#nowUs = Math.max(this.#nowUs, next.dueUs);
      next.callback();
    }
    this.#nowUs = endUs;
  }
  /** The process is stopped this long: what was due meanwhile comes late, and once. */
  stop(forMs: number): void {
    this.#nowUs += forMs * 1000;
    const due = this.#timers.filter(({ dueUs }) => dueUs <= this.#nowUs);
    this.#timers = this.#timers.filter(({ dueUs }) => dueUs > this.#nowUs);
    for (const { callback } of due) callback();
  }
}

/** The logs that every behaviour is tried on. */
export const logKinds = ["memory log", "delaying log"] as const;
export type LogKind = (typeof logKinds)[number];

export interface TestServer {
  readonly syncd: Syncd;
  readonly host: Host;
  readonly log: Lines;
  close(): Promise<void>;
}

export interface TestServerOptions extends Partial<Omit<SyncdOptions, "limits">> {
  readonly limits?: Partial<Limits>;
}

/** A server on a core of its own, listening on a free port. */
export async function startServer(
  kind: LogKind,
  options: TestServerOptions = {},
): Promise<TestServer> {
  const limits = resolveLimits(options.limits);
  const inner = new MemoryLog({ nowUs: systemClock.nowUs });
  const faults = {
    appendDelayMsMax: 3,
    deliveryDelayMsMax: 3,
    definiteFailure: 0.15,
    indefiniteFailure: 0.15,
  };
  const random = new Random(4711);
  const log =
    kind === "memory log" ? inner : new DelayingLog({ inner, clock: systemClock, random, faults });
  const host = new Host({ log, clock: systemClock, limits, logger: silentLogger });
  await host.start();
  const lines = new Lines();
  const syncd = new Syncd({
    scope: "test",
    edge: "test/syncd",
    connect: host.connectEdge,
    clock: systemClock,
    logger: lines,
    addresses: ["127.0.0.1"],
    port: 0,
    ...options,
    limits,
  });
  await syncd.listen();
  return {
    syncd,
    host,
    log: lines,
    async close() {
      await syncd.close();
      await host.close();
    },
  };
}

/** What one client heard. */
export interface Heard {
  readonly bytes: Buffer;
  /** The stream ended in order; false when it broke. */
  readonly ended: boolean;
}

/** A client over any stream: sends nothing by itself. */
export class TestClient {
  readonly stream: Duplex;
  readonly heard: Promise<Heard>;
  isOver = false;

  constructor(stream: Duplex) {
    this.stream = stream;
    this.heard = new Promise((resolve) => {
      const chunks: Buffer[] = [];
      let ended = false;
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        ended = true;
        stream.end();
      });
      stream.on("error", () => undefined);
      stream.on("close", () => {
        this.isOver = true;
        resolve({ bytes: Buffer.concat(chunks), ended });
      });
    });
  }

  /** The int32 of the reply; throws when there is none. */
  async value(byteOrder: "little" | "big" = "little"): Promise<number> {
    const { bytes, ended } = await this.heard;
    if (bytes.length !== 4 || !ended) {
      throw new Error(`no reply: ${bytes.toString("hex")}, ${ended ? "ended" : "broken"}`);
    }
    return byteOrder === "little" ? bytes.readInt32LE() : bytes.readInt32BE();
  }
}

/** Connects over TCP and sends a request. */
export async function ask(
  server: TestServer,
  request: SyncRequest,
  format: RequestFormat = v2,
): Promise<TestClient> {
  const client = await dial(server.syncd.port);
  client.stream.write(encodeRequest(request, format));
  return client;
}

export async function dial(port: number, localAddress?: string): Promise<TestClient> {
  const socket: Socket = connect({
    host: "127.0.0.1",
    port,
    ...(localAddress === undefined ? {} : { localAddress }),
  });
  const client = new TestClient(socket);
  await Promise.race([once(socket, "connect"), client.heard]);
  return client;
}

/** Connects through the door for streams that are no sockets. */
export function askInside(syncd: Syncd, bytes: Uint8Array, address = "10.0.0.9:7"): TestClient {
  const [ours, theirs] = duplexPair();
  // A pair, unlike a socket, does not tell one side that the other was destroyed.
  theirs.on("close", () => setImmediate(() => ours.destroy()));
  ours.on("close", () => setImmediate(() => theirs.destroy()));
  syncd.accept(theirs, { address });
  const client = new TestClient(ours);
  if (bytes.length > 0) ours.write(bytes);
  return client;
}

/** Waits until the core sees so many parties at the barrier. */
export function arrived(server: TestServer, count: number, name = "barrier"): Promise<void> {
  return until(() => {
    const [barrier] = server.host.describe("test", name).barriers;
    return (barrier?.arrived ?? 0) === count;
  }, `${count} at ${name}`);
}

/** Waits until the condition holds; fails loudly instead of hanging. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let turn = 0; !condition(); turn += 1) {
    if (turn > 20_000) throw new Error(`never: ${what}`);
    await new Promise((resolve) => {
      systemClock.after(1, () => resolve(undefined));
    });
  }
}

/** A core that the test plays: it sees the commands and makes the effects. */
export class PlayedCore {
  readonly commands: Command[] = [];
  handler: EdgeHandler | undefined;
  /** Commands taken before `submit` refuses. */
  room: number = Number.POSITIVE_INFINITY;
  description: ScopeDescription = { scope: "test", barriers: [], pendingEvents: 0 };
  connections = 0;

  readonly connect: ConnectEdge = (_edge, handler) => {
    this.handler = handler;
    this.connections += 1;
    return {
      submit: (command) => {
        if (this.room <= 0) return false;
        this.room -= 1;
        this.commands.push(command);
        return true;
      },
      describe: async () => this.description,
      listEvents: async () => ({
        events: [],
        total: 0,
        next: null,
        paused: false,
        nowUs: null,
        stampUs: 0,
      }),
      close: async () => undefined,
    };
  };

  tell(...effects: EdgeEffect[]): void {
    this.handler?.onEffects(effects);
  }

  release(connections: readonly number[], error = 0): void {
    this.tell({
      kind: "released",
      scope: "test",
      barrier: "barrier",
      barrierKind: "count",
      generation: 1,
      outcome: "crossed",
      error,
      connections,
    });
  }

  kinds(): readonly string[] {
    return this.commands.map(({ kind }) => kind);
  }
}

/** A server over a played core; it listens nowhere unless asked to. */
export function playServer(options: Partial<SyncdOptions> = {}): {
  readonly syncd: Syncd;
  readonly core: PlayedCore;
  readonly clock: ManualClock;
  readonly log: Lines;
} {
  const core = new PlayedCore();
  const clock = new ManualClock();
  const log = new Lines();
  const syncd = new Syncd({
    scope: "test",
    edge: "test/syncd",
    connect: core.connect,
    clock,
    logger: log,
    limits: resolveLimits(),
    addresses: ["127.0.0.1"],
    port: 0,
    time: edgeTime,
    ...options,
  });
  return { syncd, core, clock, log };
}
