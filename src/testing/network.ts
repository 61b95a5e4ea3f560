// SPDX-License-Identifier: MIT
// A network of byte streams under virtual time: delays, pieces, cuts and partitions, as a seed has
// them. What goes over it is what the shipped code writes; each end is an ordinary duplex stream.
//
//   N1. Bytes of one direction arrive in the order in which they were written, each once, or not at
//       all: what is on its way when a pipe is cut is lost, and both ends close.
//   N2. A partition holds bytes back; it loses none.
import { Duplex } from "node:stream";
import type { Random } from "../core/random.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** All off by default. */
export interface NetworkFaults {
  /** Bytes take up to this long, milliseconds. */
  readonly delayMsMax: number;
  /** A write arrives in pieces with this probability. */
  readonly pieces: number;
}

export const noNetworkFaults: NetworkFaults = { delayMsMax: 0, pieces: 0 };

export interface NetworkOptions {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly faults: Partial<NetworkFaults>;
}

export class Network {
  readonly #clock: VirtualClock;
  readonly #random: Random;
  faults: NetworkFaults;

  constructor({ clock, random, faults }: NetworkOptions) {
    this.#clock = clock;
    this.#random = random;
    this.faults = { ...noNetworkFaults, ...faults };
  }

  /** A connection; its ends are named by who asked for it. */
  connect(): Pipe {
    return new Pipe(this.#clock, this.#random, () => this.faults);
  }

  /** What somebody gets who connects to nobody. */
  refuse(): Duplex {
    const stream = new Duplex({ read: ignore, write: (_chunk, _encoding, done) => done() });
    this.#clock.after(1, () => stream.destroy());
    return stream;
  }
}

type Side = "client" | "server";

/** Two ends and what is between them. */
export class Pipe {
  readonly client: Duplex;
  readonly server: Duplex;
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #faults: () => NetworkFaults;
  #isCut = false;
  #held: (() => void)[] | undefined;
  /** What arrives at an instant that has not come. */
  #onTheWay = 0;
  /** When the last bytes to each end arrive: nothing overtakes them (N1). */
  readonly #arrivesUs: Record<Side, number> = { client: 0, server: 0 };
  /** Chunks still to be let through, for tests that cut at a boundary; undefined for no bound. */
  chunksLeft: number | undefined;
  /** Called when bytes have come to the client's end. */
  onHeard: () => void = ignore;
  /** Chunks let through so far. */
  chunksCarried = 0;

  constructor(clock: VirtualClock, random: Random, faults: () => NetworkFaults) {
    this.#clock = clock;
    this.#random = random;
    this.#faults = faults;
    this.client = this.#end("server");
    this.server = this.#end("client");
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  /** Both ends close; what is on its way is lost. */
  cut(): void {
    if (this.#isCut) return;
    this.#isCut = true;
    this.client.destroy();
    this.server.destroy();
  }

  /** Holds everything back from now on (N2). */
  partition(): void {
    this.#held ??= [];
  }

  heal(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const deliver of held) deliver();
  }

  #end(to: Side): Duplex {
    const stream = new Duplex({
      allowHalfOpen: true,
      read: ignore,
      write: (chunk: Buffer, _encoding, done) => {
        this.#carryBytes(to, chunk);
        done();
      },
      final: (done) => {
        this.#carry(to, (end) => end.push(null));
        done();
      },
      destroy: (error, done) => {
        // The other end hears of it when the packet comes, after what was sent before.
        if (!this.#isCut) this.#carry(to, (end) => end.destroy());
        done(error);
      },
    });
    stream.on("error", ignore);
    return stream;
  }

  #carryBytes(to: Side, chunk: Buffer): void {
    if (this.chunksLeft !== undefined) {
      if (this.chunksLeft === 0) {
        this.#clock.endOfTurn(() => this.cut());
        return;
      }
      this.chunksLeft -= 1;
    }
    this.chunksCarried += 1;
    const isSplit = chunk.length > 1 && this.#random.chance(this.#faults().pieces);
    const middle = isSplit ? 1 + this.#random.below(chunk.length - 1) : 0;
    const pieces = isSplit ? [chunk.subarray(0, middle), chunk.subarray(middle)] : [chunk];
    for (const piece of pieces) {
      if (piece.length > 0) this.#carry(to, (end) => end.push(piece));
    }
  }

  #carry(to: Side, arrive: (end: Duplex) => void): void {
    const { delayMsMax } = this.#faults();
    const delayUs = delayMsMax === 0 ? 0 : this.#random.below(delayMsMax * 1000);
    const nowUs = this.#clock.elapsedUs;
    const arrivesUs = Math.max(this.#arrivesUs[to], nowUs + delayUs);
    this.#arrivesUs[to] = arrivesUs;
    const deliver = (): void => {
      const end = to === "client" ? this.client : this.server;
      if (this.#held !== undefined) this.#held.push(deliver);
      else if (!this.#isCut && !end.destroyed) {
        arrive(end);
        if (to === "client") this.onHeard();
      }
    };
    // What is due at this instant and was sent before has its timer still.
    const isFree = this.#onTheWay === 0 && arrivesUs === nowUs && this.#held === undefined;
    if (delayMsMax === 0 && isFree) {
      this.#clock.endOfTurn(deliver);
      return;
    }
    this.#onTheWay += 1;
    this.#clock.after((arrivesUs - nowUs) / 1000, () => {
      this.#onTheWay -= 1;
      deliver();
    });
  }
}

function ignore(): void {}
