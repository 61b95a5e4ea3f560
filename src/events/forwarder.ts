// SPDX-License-Identifier: MIT
// Passes TCP connections on: who still connects to the old address of the event server gets to the
// new one. [EMULAB-EVENTS 7.3] Knows nothing of what is said. Owns the pairs of sockets.
//
//   F1. Every byte that arrives is passed on, in order, before the end of its direction is; the
//       ends of the two directions are independent.
//   F2. A side that does not read stops the other from being read: nothing gathers here.
//   F3. Nothing is read of a client before the other side has answered. When it does not answer,
//       the client is cut, and may try again.
//   F4. A target that does not answer is said once, and asked again once in a while, until it does:
//       whoever comes meanwhile is cut.
//   F5. What breaks one side breaks the other, so that nobody waits for what cannot come.
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { assert } from "../core/assert.ts";
import { KeyCounts } from "../edges/key-counts.ts";
import type { Cancel, Clock } from "../host/clock.ts";
import type { Logger } from "../host/logger.ts";
import type { ForwarderLimits } from "./forwarder-limits.ts";

export interface Endpoint {
  /** Where connections go to, a name is looked up for each of them: it may move. */
  readonly host: string;
  readonly port: number;
}

export interface ForwarderOptions {
  readonly to: Endpoint;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: ForwarderLimits;
  /** Whether a host may come at all; every host may when absent. */
  readonly admits?: (peerAddress: string | undefined) => boolean;
}

export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #pairs = new Set<Pair>();
  readonly #clients = new KeyCounts();
  #server: Server | undefined;
  /** F4: while it does not answer. */
  #away: { readonly untilUs: number; cut: number } | undefined;
  #cancelSweep: Cancel = () => undefined;

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  /** Connections that are being passed on. */
  get connections(): number {
    return this.#pairs.size;
  }

  /** @returns the port. @throws Error when the address cannot be had. */
  async listen({ host, port }: Endpoint): Promise<number> {
    assert(this.#server === undefined, "a forwarder listens once");
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true });
    server.on("connection", (client) => this.#accept(client));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host, port, exclusive: true }, () => {
        server.off("error", reject);
        resolve();
      });
    });
    server.on("error", (error) => this.#options.logger.log("error", `forward: ${error.message}`));
    this.#server = server;
    this.#sweep();
    return (server.address() as AddressInfo).port;
  }

  /** Cuts everybody. */
  async close(): Promise<void> {
    this.#cancelSweep();
    const closed = new Promise((resolve) => this.#server?.close(resolve) ?? resolve(undefined));
    for (const pair of [...this.#pairs]) pair.cut();
    await closed;
  }

  #accept(client: Socket): void {
    const { limits, logger, to, clock, admits } = this.#options;
    if (admits?.(client.remoteAddress) === false) {
      client.resetAndDestroy();
      return;
    }
    const from = client.remoteAddress ?? "";
    const full =
      this.#pairs.size >= limits.forwardedConnectionsMax
        ? "forwardedConnectionsMax"
        : this.#clients.of(from) >= limits.forwardedPerClientMax
          ? "forwardedPerClientMax"
          : undefined;
    if (full !== undefined) {
      const what = `forward: ${from} was cut, limit ${full} (${limits[full]}) reached`;
      logger.log("warn", `${what}; let clients connect to ${to.host}:${to.port} themselves`);
      client.resetAndDestroy();
      return;
    }
    if (this.#away !== undefined && clock.nowUs() < this.#away.untilUs) {
      this.#away.cut += 1;
      client.resetAndDestroy();
      return;
    }
    this.#clients.add(from);
    const pair: Pair = new Pair(client, to, {
      clock,
      connectMs: limits.forwardConnectMs,
      onConnected: () => this.#reached(),
      onUnreachable: (reason) => this.#unreached(reason, from),
      onGone: () => {
        this.#pairs.delete(pair);
        this.#clients.drop(from);
      },
    });
    this.#pairs.add(pair);
  }

  /** F4. */
  #unreached(reason: string, from: string): void {
    const { to, clock, logger, limits } = this.#options;
    if (this.#away === undefined) {
      const what = `forward: ${to.host}:${to.port} does not answer (${reason})`;
      logger.log("warn", `${what}; ${from} was cut and may try again`);
    }
    const untilUs = clock.nowUs() + limits.forwardRetryMs * 1_000;
    this.#away = { untilUs, cut: (this.#away?.cut ?? 0) + 1 };
  }

  #reached(): void {
    if (this.#away === undefined) return;
    const { to, logger } = this.#options;
    const cut = `connections that were cut meanwhile: ${this.#away.cut}`;
    logger.log("info", `forward: ${to.host}:${to.port} answers again; ${cut}`);
    this.#away = undefined;
  }

  /** One timer for all: a connection that is silent costs nothing until somebody looks. */
  #sweep(): void {
    const { clock, limits } = this.#options;
    this.#cancelSweep = clock.after(Math.ceil(limits.forwardIdleMs / 4), () => {
      const sinceUs = clock.nowUs() - limits.forwardIdleMs * 1_000;
      for (const pair of [...this.#pairs]) if (pair.lastUs < sinceUs) pair.cut();
      this.#sweep();
    });
  }
}

interface PairOptions {
  readonly clock: Clock;
  readonly connectMs: number;
  readonly onConnected: () => void;
  readonly onUnreachable: (reason: string) => void;
  readonly onGone: () => void;
}

/** A client and the connection that was made for it. */
class Pair {
  /** When something last went through. */
  lastUs: number;
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #options: PairOptions;
  #isConnected = false;
  #open = 2;

  constructor(client: Socket, { host, port }: Endpoint, options: PairOptions) {
    this.#client = client;
    this.#options = options;
    this.lastUs = options.clock.nowUs();
    this.#server = connect({ host, port, allowHalfOpen: true, noDelay: true });
    const cancel = options.clock.after(options.connectMs, () => this.#fail("ETIMEDOUT"));
    this.#server.once("connect", () => {
      this.#isConnected = true;
      cancel();
      options.onConnected();
      this.#join();
    });
    client.on("error", () => this.cut());
    this.#server.on("error", (error: NodeJS.ErrnoException) => {
      this.#fail(error.code ?? error.message);
    });
    for (const socket of [client, this.#server]) {
      socket.once("close", () => {
        cancel();
        this.#open -= 1;
        if (this.#open === 0) options.onGone();
      });
    }
  }

  /** F5. A reset, so that neither side takes it for the end of what the other had to say. */
  cut(): void {
    this.#client.resetAndDestroy();
    if (this.#isConnected) this.#server.resetAndDestroy();
    else this.#server.destroy();
  }

  /** F1 and F2 are what `pipe` does, with the end of each direction passed on when it is empty. */
  #join(): void {
    const note = (): void => {
      this.lastUs = this.#options.clock.nowUs();
    };
    this.#client.on("data", note).pipe(this.#server);
    this.#server.on("data", note).pipe(this.#client);
  }

  #fail(reason: string): void {
    if (!this.#isConnected) this.#options.onUnreachable(reason);
    this.cut();
  }
}
