// SPDX-License-Identifier: MIT
// An event server, a forwarder in front of it that counts connections, and the proxy of a node, all
// in this process on loopback; clients of the proxy. For tests.
import { WebSocket } from "ws";
import { RemoteBus } from "../../../src/client/remote-bus.ts";
import { Forwarder } from "../../../src/events/forwarder.ts";
import { resolveForwarderLimits } from "../../../src/events/forwarder-limits.ts";
import { NodeProxy, type NodeProxyOptions } from "../../../src/events/node-proxy.ts";
import { type ProxyLimits, resolveProxyLimits } from "../../../src/events/proxy-limits.ts";
import { sleep, systemClock } from "../../../src/host/clock.ts";
import { newNonce } from "../../../src/host/ids.ts";
import { silentLogger } from "../../../src/host/logger.ts";
import type { BusError } from "../../../src/wire/event/bus.ts";
import { busProtocol } from "../../../src/wire/event/bus-frames.ts";
import { BusDoorBench, type BusDoorBenchOptions } from "../bus/bus-bench.ts";

const runtime = { nowUs: systemClock.nowUs, after: systemClock.after, randomBytes: newNonce };
const retry = { retryMs: 1, retryMsMax: 10, publishWaitMs: 60_000 };

export type ProxyBenchOptions = BusDoorBenchOptions &
  Partial<Pick<NodeProxyOptions, "view" | "retry">> & { readonly proxyLimits?: ProxyLimits };

export class ProxyBench {
  readonly server: BusDoorBench;
  turnedAway: BusError | undefined;
  readonly #options: ProxyBenchOptions;
  #proxy: NodeProxy | undefined;
  #forwarder: Forwarder | undefined;
  /** What the proxy's clients connect to; the port stays when the proxy is another. */
  #url = "";
  #port = 0;
  #forwardPort = 0;
  #up: WebSocket[] = [];
  #down: WebSocket[] = [];
  #cuts = 0;

  constructor(options: ProxyBenchOptions) {
    this.#options = options;
    this.server = new BusDoorBench(options);
  }

  async start(): Promise<this> {
    await this.server.start();
    await this.forward();
    await this.startProxy();
    return this;
  }

  /** Connections that the server has. */
  get connections(): number {
    return this.#forwarder?.connections ?? 0;
  }

  async startProxy(): Promise<void> {
    const { view, proxyLimits = resolveProxyLimits() } = this.#options;
    this.#proxy = new NodeProxy({
      open: () => this.#openUp(),
      ...{ retry: this.#options.retry ?? retry, limits: proxyLimits, runtime },
      ...(view === undefined ? {} : { view }),
      ...{ clock: systemClock, logger: silentLogger, time: { placeMs: 5 } },
      onTurnedAway: (error) => {
        this.turnedAway = error;
      },
    });
    const bound = await this.#proxy.listen({ host: "127.0.0.1", port: this.#port });
    this.#port = bound.port;
    this.#url = bound.url;
  }

  /** As `kill -9` does it: nobody is told anything. */
  async killProxy(): Promise<void> {
    for (const socket of [...this.#up.splice(0), ...this.#down.splice(0)]) socket.terminate();
    await this.#proxy?.close();
  }

  /** A client on the node. */
  connect(): RemoteBus {
    return new RemoteBus({
      open: () => {
        const socket = new WebSocket(`${this.#url.replace("http", "ws")}/v1/bus`, [busProtocol]);
        this.#down.push(socket);
        return socket;
      },
      ...{ runtime, ...retry, publicationsMax: 10_000 },
    });
  }

  /** In turn: what the clients have, what the proxy has, all of it. */
  cut(): void {
    this.#cuts += 1;
    if (this.#cuts % 3 !== 2) for (const socket of this.#down.splice(0)) socket.terminate();
    if (this.#cuts % 3 !== 1) this.cutUp();
  }

  cutUp(): void {
    for (const socket of this.#up.splice(0)) socket.terminate();
  }

  /** The server, with another bus; the node notices a lost connection. */
  async restart(): Promise<void> {
    await this.unplug();
    await this.server.restart();
    await this.forward();
  }

  /** No way to the server. */
  async unplug(): Promise<void> {
    this.cutUp();
    await this.#forwarder?.close();
    this.#forwarder = undefined;
  }

  /** There is one again. */
  async forward(): Promise<void> {
    const { hostname: host, port } = new URL(this.server.url);
    this.#forwarder = new Forwarder({
      ...{ to: { host, port: Number(port) }, clock: systemClock, logger: silentLogger },
      limits: resolveForwarderLimits(),
    });
    this.#forwardPort = await this.#forwarder.listen({ host, port: this.#forwardPort });
  }

  async turn(): Promise<void> {
    await sleep(systemClock, 1);
  }

  async close(): Promise<void> {
    await this.#proxy?.close();
    await this.#forwarder?.close();
    await this.server.close();
  }

  #openUp(): WebSocket {
    const socket = new WebSocket(`ws://127.0.0.1:${this.#forwardPort}/v1/bus`, [busProtocol]);
    this.#up.push(socket);
    return socket;
  }
}
