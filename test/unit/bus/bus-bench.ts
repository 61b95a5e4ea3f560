// SPDX-License-Identifier: MIT
// A memory bus behind an HTTP door on loopback, and a client of it; for tests.
import { WebSocket } from "ws";
import { RemoteBus } from "../../../src/client/remote-bus.ts";
import {
  createBusEndpoint,
  createBusRoutes,
  defaultBusDoorBounds,
} from "../../../src/edges/bus/index.ts";
import type { HttpDoor, HttpDoorOptions } from "../../../src/edges/http/index.ts";
import { createHttpDoor } from "../../../src/edges/http/index.ts";
import type { BusLimits } from "../../../src/engine/bus-limits.ts";
import { resolveBusLimits } from "../../../src/engine/bus-limits.ts";
import { MemoryBus } from "../../../src/engine/memory-bus.ts";
import { sleep, systemClock } from "../../../src/host/clock.ts";
import { newNonce } from "../../../src/host/ids.ts";
import { silentLogger } from "../../../src/host/logger.ts";
import { busProtocol } from "../../../src/wire/event/bus-frames.ts";

export interface BusDoorBenchOptions {
  readonly limits?: Partial<BusLimits>;
  readonly bounds?: Partial<typeof defaultBusDoorBounds>;
  readonly access?: HttpDoorOptions["access"];
}

export class BusDoorBench {
  readonly #options: BusDoorBenchOptions;
  readonly #sockets: WebSocket[] = [];
  #epoch = 0;
  url = "";
  memory: MemoryBus;
  #door: HttpDoor;

  constructor(options: BusDoorBenchOptions) {
    this.#options = options;
    this.memory = this.#createBus();
    this.#door = this.#createDoor();
  }

  /** @param port 0: one that is free. */
  async start(port: number = 0): Promise<this> {
    this.url = (await this.#door.listen({ host: "127.0.0.1", port })).url;
    return this;
  }

  /** A client; its connections can be cut. */
  connect(protocols: readonly string[] = [busProtocol]): RemoteBus {
    return new RemoteBus({
      open: () => {
        const socket = new WebSocket(`${this.url.replace("http", "ws")}/v1/bus`, [...protocols]);
        this.#sockets.push(socket);
        return socket;
      },
      runtime: {
        nowUs: systemClock.nowUs,
        after: (delayMs, callback) => systemClock.after(delayMs, callback),
        randomBytes: newNonce,
      },
      ...{ retryMs: 1, retryMsMax: 10, publishWaitMs: 60_000, publicationsMax: 10_000 },
    });
  }

  /** Cuts every connection that a client has, in the middle of whatever it carries. */
  cut(): void {
    for (const socket of this.#sockets.splice(0)) socket.terminate();
  }

  /** Another process, as it were: another bus at another address. */
  async restart(): Promise<void> {
    await this.#stop();
    this.memory = this.#createBus();
    this.#door = this.#createDoor();
    await this.start();
  }

  async close(): Promise<void> {
    await this.#stop();
  }

  async turn(): Promise<void> {
    await sleep(systemClock, 1);
  }

  async #stop(): Promise<void> {
    this.memory.close();
    this.cut();
    await this.#door.close();
  }

  #createBus(): MemoryBus {
    this.#epoch += 1;
    return new MemoryBus({
      epoch: `e${this.#epoch}`,
      limits: resolveBusLimits(this.#options.limits),
    });
  }

  #createDoor(): HttpDoor {
    const { access = {}, bounds } = this.#options;
    const door = createHttpDoor({ access, clock: systemClock, logger: silentLogger });
    const options = {
      ...{ bus: this.memory, clock: systemClock, time: { placeMs: 5 } },
      bounds: { ...defaultBusDoorBounds, ...bounds },
    };
    door.socket(createBusEndpoint(options));
    for (const route of createBusRoutes(options)) door.route(route);
    return door;
  }
}
