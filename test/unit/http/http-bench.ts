// SPDX-License-Identifier: MIT
// A core with an HTTP door on a port of its own, for tests; everything in one process.
import { WebSocket } from "ws";
import type { Limits } from "../../../src/core/limits.ts";
import { resolveLimits } from "../../../src/core/limits.ts";
import type { HttpDoor, HttpDoorOptions, TokenRow } from "../../../src/edges/http/index.ts";
import {
  createHttpDoor,
  formatToken,
  hashSecret,
  mountCore,
} from "../../../src/edges/http/index.ts";
import type { Log } from "../../../src/engine/log.ts";
import { MemoryLog } from "../../../src/engine/memory-log.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { Host } from "../../../src/host/host.ts";
import type { Role } from "../../../src/wire/link/roles.ts";

export interface BenchOptions extends Partial<Omit<HttpDoorOptions, "clock" | "logger">> {
  readonly limits?: Partial<Limits>;
  /** Where to listen; loopback when absent. */
  readonly host?: string;
  /** Puts something before the log. */
  readonly wrapLog?: (log: Log) => Log;
}

export class HttpBench {
  readonly host: Host;
  readonly door: HttpDoor;
  readonly access: HttpDoorOptions["access"];
  readonly lines: string[] = [];
  readonly rows: Map<string, TokenRow> = new Map();
  readonly #closes: (() => Promise<void>)[] = [];
  readonly #mount: (edge: string) => HttpDoor;
  url = "";
  port = 0;

  private constructor({ limits = {}, host: _, wrapLog, ...options }: BenchOptions) {
    this.access = options.access ?? {};
    const clock = systemClock;
    const logger = {
      log: (level: string, text: string) => void this.lines.push(`${level} ${text}`),
    };
    const memory = new MemoryLog({ nowUs: clock.nowUs });
    const log = wrapLog?.(memory) ?? memory;
    this.host = new Host({ log, clock, limits: resolveLimits(limits), logger });
    const mount = (edge: string): HttpDoor => {
      const door = createHttpDoor({ access: {}, ...options, clock, logger });
      this.#closes.push(
        door.close.bind(door),
        mountCore({ door, host: this.host, clock, logger, edge }),
      );
      return door;
    };
    this.#mount = mount;
    this.door = mount("http");
  }

  /** As another server of the log has it. @returns its address */
  async secondDoor(): Promise<string> {
    const { url } = await this.#mount("http2").listen({ host: "127.0.0.1", port: 0 });
    return url;
  }

  static async start(options: BenchOptions = {}): Promise<HttpBench> {
    const bench = new HttpBench(options);
    await bench.host.start();
    const { port, url } = await bench.door.listen({
      host: options.host ?? "127.0.0.1",
      port: 0,
    });
    bench.port = port;
    bench.url = url;
    return bench;
  }

  /** The same with tokens; `token` makes them. */
  static async startClosed(options: BenchOptions = {}): Promise<HttpBench> {
    const rows = new Map<string, TokenRow>();
    const bench = await HttpBench.start({
      ...options,
      access: { ...options.access, tokens: { rows: () => rows } },
    });
    Object.assign(bench, { rows });
    return bench;
  }

  token(role: Role, more: Partial<TokenRow> = {}): string {
    const id = more.id ?? `t${this.rows.size + 1}`;
    const secret = `secret${id}`;
    const row = { id, role, scope: null, expiresMs: null, createdMs: 0, note: "", ...more };
    this.rows.set(id, { ...row, hash: hashSecret(secret) });
    return formatToken(id, secret);
  }

  async close(): Promise<void> {
    for (const close of this.#closes) await close();
    await this.host.close();
  }

  socket(path: string, protocols: readonly string[], headers: Record<string, string> = {}) {
    const url = `${this.url.replace("http", "ws")}${path}`;
    return new RawSocket(
      new WebSocket(url, [...protocols], { headers, rejectUnauthorized: false }),
    );
  }
}

/** A WebSocket of another implementation than the client library's, spoken to by hand. */
export class RawSocket {
  readonly socket: WebSocket;
  readonly heard: string[] = [];
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  #wake: () => void = () => undefined;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (data: Buffer) => {
      this.heard.push(data.toString());
      this.#wake();
    });
    this.closed = new Promise((resolve) => {
      socket.on("error", (error) => resolve({ code: 0, reason: error.message }));
      socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    });
  }

  opened(): Promise<void> {
    return new Promise((resolve) => {
      this.socket.on("open", () => resolve());
    });
  }

  say(frame: object | string): void {
    this.socket.send(typeof frame === "string" ? frame : JSON.stringify(frame));
  }

  /** Waits until something with `text` in it has been heard. */
  async hear(text: string): Promise<string> {
    for (;;) {
      const found = this.heard.find((heard) => heard.includes(text));
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
