// SPDX-License-Identifier: MIT
// The load of the GNUnet benchmark, the same for every controller: a driver and a crowd of waiters
// over sockets in the file system, each waiter on a connection that is open before the round.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { GnunetMessage } from "../../src/wire/gnunet/index.ts";
import { decodeMessage, encodeMessage, MessageFramer } from "../../src/wire/gnunet/index.ts";

/** Where a controller listens. */
export interface Sockets {
  readonly testbed: string;
  readonly barrier: string;
}

/** One round, in microseconds. */
export interface RoundTimes {
  /** First WAIT written until the driver has read CROSSED. */
  readonly reachUs: number;
  /** Echo written until the last waiter has read STATUS. */
  readonly releaseUs: number;
}

/** Peers that are registered at once; the old controller makes a directory for each. */
const registeredAtOnce = 50;

export class Driver {
  readonly #socket: Socket;
  readonly #framer = new MessageFramer();
  readonly #waiting: ((message: GnunetMessage) => void)[] = [];
  #peers = 0;
  #rounds = 0;

  static async open(path: string): Promise<Driver> {
    const socket = connect({ path });
    await once(socket, "connect");
    const driver = new Driver(socket);
    driver.#send({ kind: "testbed-init", hostId: 0, eventMask: 0n, hostname: "127.0.0.1" });
    return driver;
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      for (const bytes of this.#framer.push(chunk).messages) {
        const message = decodeMessage(bytes);
        if (message.kind === "unknown" || message.kind === "refused") continue;
        this.#waiting.shift()?.(message);
      }
    });
    socket.on("error", () => undefined);
  }

  /** Registers peers until there are so many. @param config zlib data of a whole configuration. */
  async register(peers: number, config: { readonly data: Uint8Array; readonly bytes: number }) {
    while (this.#peers < peers) {
      const count = Math.min(registeredAtOnce, peers - this.#peers);
      const answers = Array.from({ length: count }, () => {
        this.#peers += 1;
        const [peerId, operationId] = [this.#peers, BigInt(this.#peers)];
        const { data, bytes: configBytes } = config;
        const answer = this.#next("peer-created");
        this.#send({
          kind: "create-peer",
          hostId: 0,
          operationId,
          peerId,
          configBytes,
          config: data,
        });
        return answer;
      });
      await Promise.all(answers);
    }
  }

  /**
   * Everybody meets once, at a barrier of its own.
   * @param taken resolves when the server has taken up so many connections.
   */
  async play(
    barrierPath: string,
    waiters: number,
    taken: (connections: number) => Promise<void>,
  ): Promise<RoundTimes> {
    this.#rounds += 1;
    const name = `round-${waiters}-${this.#rounds}`;
    const crowd = await Crowd.open(barrierPath, waiters, name);
    await taken(waiters + 1);
    const initialised = this.#next("barrier-status");
    this.#send({ kind: "barrier-init", quorum: 100, name });
    await initialised;
    const crossed = this.#next("barrier-status");
    const beganUs = nowUs();
    crowd.wait();
    await crossed;
    const crossedUs = nowUs();
    const released = crowd.released();
    this.#send({ kind: "barrier-status", status: "crossed", name });
    await released;
    const endUs = nowUs();
    crowd.close();
    return { reachUs: crossedUs - beganUs, releaseUs: endUs - crossedUs };
  }

  close(): void {
    this.#socket.destroy();
  }

  #send(message: GnunetMessage): void {
    this.#socket.write(encodeMessage(message));
  }

  async #next(kind: GnunetMessage["kind"]): Promise<void> {
    const message = await new Promise<GnunetMessage>((resolve) => this.#waiting.push(resolve));
    if (message.kind !== kind)
      throw new Error(`${JSON.stringify(message.kind)} instead of ${kind}`);
  }
}

class Crowd {
  readonly #sockets: readonly Socket[];
  readonly #message: Buffer;
  #open: number;
  #whenReleased: () => void = () => undefined;

  static async open(path: string, count: number, name: string): Promise<Crowd> {
    const sockets: Socket[] = [];
    while (sockets.length < count) sockets.push(await dial(path));
    return new Crowd(sockets, Buffer.from(encodeMessage({ kind: "barrier-wait", name })));
  }

  private constructor(sockets: readonly Socket[], message: Buffer) {
    this.#sockets = sockets;
    this.#message = message;
    this.#open = sockets.length;
    for (const socket of sockets) {
      // A status is shorter than what one read takes.
      socket.once("data", () => {
        this.#open -= 1;
        if (this.#open === 0) this.#whenReleased();
      });
      socket.on("error", () => undefined);
    }
  }

  wait(): void {
    for (const socket of this.#sockets) socket.write(this.#message);
  }

  /** Resolves when every waiter has read something. */
  released(): Promise<void> {
    return new Promise((resolve) => {
      this.#whenReleased = resolve;
    });
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** The old controller takes a handful at a time, and the kernel refuses the next. */
async function dial(path: string): Promise<Socket> {
  for (;;) {
    const socket = connect({ path });
    try {
      await once(socket, "connect");
      return socket;
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : "";
      if (code !== "EAGAIN") throw error;
      await sleep(1);
    }
  }
}

function nowUs(): number {
  return Number(process.hrtime.bigint()) / 1000;
}
