// SPDX-License-Identifier: MIT
// A link or LAN as a machine: frames come in from a member, go through its pipe up, are switched,
// go through the pipe down of whom they are for, and go out. A link of two has one pipe for each
// way and no pipes down. Pure, as pipes are.
//
//   S1. A frame goes to the other end of a link whatever its address; in a LAN to the member that
//       was last seen with its address, else to all others; never back to where it came from.
import { Random } from "../../core/random.ts";
import type { DirectionState } from "../model.ts";
import { networkLimits } from "../network-limits.ts";
import { Pipe } from "./pipe.ts";

export interface SegmentMember {
  readonly up: DirectionState;
  readonly down?: DirectionState;
}

export interface SegmentOptions {
  readonly kind: "link" | "lan";
  readonly members: readonly SegmentMember[];
  readonly seed: number;
  /** Where in a packet its frame begins: what comes before takes no bandwidth. */
  readonly frameAt: number;
}

/** Takes a packet that has come out, and the instant at which it should. */
export type Emit = (member: number, packet: Uint8Array, outUs: number) => void;

export class Segment {
  readonly #kind: "link" | "lan";
  readonly #frameAt: number;
  readonly #up: readonly Pipe<Uint8Array>[];
  readonly #down: readonly (Pipe<Uint8Array> | undefined)[];
  /** Members by the addresses that they send from. */
  readonly #memberOf = new Map<number, number>();
  /** Not later than when something comes out. */
  nextUs: number = Infinity;

  constructor({ kind, members, seed, frameAt }: SegmentOptions) {
    this.#kind = kind;
    this.#frameAt = frameAt;
    const seeds = new Random(seed);
    const seedPairs = members.map(() => [seeds.next(), seeds.next()] as const);
    this.#up = members.map(({ up }, index) => new Pipe(up, seedPairs[index]?.[0] ?? 0));
    this.#down = members.map(({ down }, index) =>
      down === undefined ? undefined : new Pipe(down, seedPairs[index]?.[1] ?? 0),
    );
  }

  pipe(member: number, way: "up" | "down"): Pipe<Uint8Array> | undefined {
    return (way === "up" ? this.#up : this.#down)[member];
  }

  /** @param foundUs not before now: when a packet that came now was found (P5) */
  arrive(nowUs: number, member: number, packet: Uint8Array, foundUs: number = nowUs): void {
    const pipe = this.#up[member];
    if (pipe === undefined) return;
    if (this.#kind === "lan") this.#learn(member, packet);
    pipe.arrive(nowUs, packet.length - this.#frameAt, packet, foundUs);
    this.nextUs = Math.min(this.nextUs, pipe.nextUs);
  }

  /** Gives out what has come out by `nowUs`. */
  release(nowUs: number, emit: Emit): void {
    if (this.#kind === "link") this.#releaseLink(nowUs, emit);
    else this.#releaseLan(nowUs, emit);
    let nextUs = Infinity;
    for (let member = 0; member < this.#up.length; member++) {
      nextUs = Math.min(nextUs, this.#up[member]?.nextUs ?? Infinity);
      nextUs = Math.min(nextUs, this.#down[member]?.nextUs ?? Infinity);
    }
    this.nextUs = nextUs;
  }

  #releaseLink(nowUs: number, emit: Emit): void {
    for (let member = 0; member < this.#up.length; member++) {
      const pipe = this.#up[member];
      for (let out = pipe?.take(nowUs); out !== undefined; out = pipe?.take(nowUs)) {
        emit(1 - member, out.packet, out.outUs);
      }
    }
  }

  #releaseLan(nowUs: number, emit: Emit): void {
    const risen: {
      readonly member: number;
      readonly packet: Uint8Array;
      readonly outUs: number;
    }[] = [];
    for (let member = 0; member < this.#up.length; member++) {
      const pipe = this.#up[member];
      for (let out = pipe?.take(nowUs); out !== undefined; out = pipe?.take(nowUs)) {
        risen.push({ member, packet: out.packet, outUs: out.outUs });
      }
    }
    // Pipes down take their packets in the order of time, also when this comes late.
    if (risen.length > 1) risen.sort((a, b) => a.outUs - b.outUs);
    for (const { member, packet, outUs } of risen) this.#forward(member, packet, outUs, emit);
    for (let member = 0; member < this.#down.length; member++) {
      const pipe = this.#down[member];
      for (let out = pipe?.take(nowUs); out !== undefined; out = pipe?.take(nowUs)) {
        emit(member, out.packet, out.outUs);
      }
    }
  }

  change(nowUs: number, member: number, way: "up" | "down", state: DirectionState): void {
    const pipe = this.pipe(member, way);
    if (pipe === undefined) return;
    pipe.change(nowUs, state);
    this.nextUs = Math.min(this.nextUs, nowUs);
  }

  #forward(from: number, packet: Uint8Array, atUs: number, emit: Emit): void {
    const to = this.#memberOf.get(readAddress(packet, this.#frameAt));
    if (to === from) return;
    if (to !== undefined) {
      this.#descend(to, packet, atUs, emit);
      return;
    }
    for (let member = 0; member < this.#up.length; member++) {
      // Each gets a copy of its own: who sends it writes to whom it is into it.
      if (member !== from) this.#descend(member, packet.slice(), atUs, emit);
    }
  }

  #descend(member: number, packet: Uint8Array, atUs: number, emit: Emit): void {
    const pipe = this.#down[member];
    if (pipe === undefined) emit(member, packet, atUs);
    else pipe.arrive(atUs, packet.length - this.#frameAt, packet);
  }

  #learn(member: number, packet: Uint8Array): void {
    const source = readAddress(packet, this.#frameAt + 6);
    if (source === -1 || this.#memberOf.get(source) === member) return;
    if (this.#memberOf.size < networkLimits.lanAddressesMax || this.#memberOf.has(source)) {
      this.#memberOf.set(source, member);
    }
  }
}

/** A hardware address as a number; -1 of a group or of what is too short to have one. */
function readAddress(packet: Uint8Array, at: number): number {
  const first = packet[at];
  if (first === undefined || packet.length < at + 6 || (first & 1) === 1) return -1;
  let address = 0;
  for (let index = 0; index < 6; index++) address = address * 256 + (packet[at + index] ?? 0);
  return address;
}
