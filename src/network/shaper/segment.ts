// SPDX-License-Identifier: MIT
// A link or LAN as a machine: frames come in from a member, go through its pipe up, are switched,
// go through the pipe down of whom they are for, and go out. A link of two has one pipe for each
// way and no pipes down. Pure, as pipes are.
//
// A LAN may have members on other machines: their pipes are there. What has come up here goes to
// those machines as it is, and what comes from there waits here, so long that it is as if both had
// been on one machine.
//
//   S1. A frame goes to the other end of a link whatever its address; in a LAN to the member that
//       was last seen with its address, at first to whose interface has it, else to all others;
//       never back to where it came from.
//   S2. Another machine gets a frame once, and only from the machine of whoever sent it.
//   S3. A frame is switched when it is due, and not when it is out, which is later where this
//       machine found it late (P5 of pipes): into a way down frames come in the order and at the
//       instants at which they would have on a machine that is never late.
import { Random } from "../../core/random.ts";
import { type DirectionState, unshaped } from "../model.ts";
import { networkLimits } from "../network-limits.ts";
import { HeldFrames } from "./held-frames.ts";
import { type Found, Pipe } from "./pipe.ts";

export interface SegmentMember {
  readonly up: DirectionState;
  readonly down?: DirectionState;
  /** Of a LAN: the machine that it is on; left out: this one. */
  readonly peer?: number;
  /** Where it is known before it has sent anything: of its interface. */
  readonly address?: number;
}

/** How long a frame waits at the switch: the sum of both, which is never below 0. */
export interface LanHolds {
  /** By the member that sent it; the path by which it came is taken off. */
  readonly fromUs: readonly number[];
  /** By the member that it is for. */
  readonly toUs: readonly number[];
}

export interface SegmentOptions {
  readonly kind: "link" | "lan";
  readonly members: readonly SegmentMember[];
  readonly seed: number;
  /** Where in a packet its frame begins: what comes before takes no bandwidth. */
  readonly frameAt: number;
}

/** When a packet should have come out that has. */
export interface OutInstants {
  /** Of what was found late, as if it had come then (P5). */
  readonly outUs: number;
  /** When it may have been due at the soonest, had nothing been found late. */
  readonly sinceUs: number;
}

/** Takes a packet that has come out. */
export type Emit = (member: number, packet: Uint8Array, instants: OutInstants) => void;
/** Takes a packet of a member that is for those on another machine. */
export type EmitFar = (
  peer: number,
  from: number,
  packet: Uint8Array,
  instants: OutInstants,
) => void;

/** A frame at the switch of a LAN. */
interface Risen {
  /** From whom; of one that waits there, for whom. */
  readonly member: number;
  readonly packet: Uint8Array;
  readonly dueUs: number;
  /** `atUs` is when it is out of what is behind it. */
  readonly found: Found;
}

/** A frame for those on another machine, to whom it goes when it is out. */
interface FarFrame {
  readonly peer: number;
  readonly from: number;
  readonly packet: Uint8Array;
  /** When it is out. */
  readonly dueUs: number;
  readonly sinceUs: number;
}

export class Segment {
  readonly #kind: "link" | "lan";
  readonly #frameAt: number;
  readonly #seeds: Random;
  readonly #up: Pipe<Uint8Array>[] = [];
  readonly #down: (Pipe<Uint8Array> | undefined)[] = [];
  readonly #peers: (number | undefined)[] = [];
  /** Of a LAN that has members elsewhere. */
  readonly #held: HeldFrames<Risen> | undefined;
  readonly #far = new HeldFrames<FarFrame>();
  #holds: LanHolds = { fromUs: [], toUs: [] };
  /** Members by the addresses that they send from. */
  readonly #memberOf = new Map<number, number>();
  /** Not later than when something comes out. */
  nextUs: number = Infinity;

  constructor({ kind, members, seed, frameAt }: SegmentOptions) {
    this.#kind = kind;
    this.#frameAt = frameAt;
    this.#seeds = new Random(seed);
    this.grow(members);
    if (this.#peers.some((peer) => peer !== undefined)) this.#held = new HeldFrames();
  }

  /** Members join, behind those that are there. */
  grow(members: readonly SegmentMember[]): void {
    for (const { up, down, peer, address } of members) {
      const [upSeed, downSeed] = [this.#seeds.next(), this.#seeds.next()];
      if (address !== undefined) this.#memberOf.set(address, this.#up.length);
      this.#up.push(new Pipe(up, upSeed));
      const into = this.#kind === "lan" ? (down ?? { shape: unshaped, isUp: true }) : undefined;
      this.#down.push(into === undefined ? undefined : new Pipe(into, downSeed));
      this.#peers.push(this.#kind === "lan" ? peer : undefined);
    }
  }

  /** From now on; what waits already keeps its time. */
  hold(holds: LanHolds): void {
    this.#holds = holds;
  }

  pipe(member: number, way: "up" | "down"): Pipe<Uint8Array> | undefined {
    return (way === "up" ? this.#up : this.#down)[member];
  }

  /** @param found left out: in time (P5) */
  arrive(nowUs: number, member: number, packet: Uint8Array, found?: Found): void {
    const pipe = this.#up[member];
    if (pipe === undefined) return;
    if (this.#kind === "lan") this.#learn(member, packet);
    if (this.#peers[member] !== undefined) {
      const inTime = { atUs: nowUs, slackUs: 0 };
      this.#forwardHere({ member, packet, dueUs: nowUs, found: found ?? inTime });
      this.nextUs = Math.min(this.nextUs, this.#held?.nextUs ?? Infinity);
      return;
    }
    pipe.arrive(nowUs, packet.length - this.#frameAt, packet, found);
    this.nextUs = Math.min(this.nextUs, this.#nextOf(pipe));
  }

  /** Gives out what has come out by `nowUs`. */
  release(nowUs: number, emit: Emit, emitFar: EmitFar = () => undefined): void {
    if (this.#kind === "link") this.#releaseLink(nowUs, emit);
    else this.#releaseLan(nowUs, emit, emitFar);
    let nextUs = Math.min(this.#held?.nextUs ?? Infinity, this.#far.nextUs);
    for (let member = 0; member < this.#up.length; member++) {
      nextUs = Math.min(nextUs, this.#nextOf(this.#up[member]));
      nextUs = Math.min(nextUs, this.#down[member]?.nextUs ?? Infinity);
    }
    this.nextUs = nextUs;
  }

  /** S3. Of a way from a member. */
  #nextOf(pipe: Pipe<Uint8Array> | undefined): number {
    return (this.#kind === "lan" ? pipe?.nextDueUs : pipe?.nextUs) ?? Infinity;
  }

  #releaseLink(nowUs: number, emit: Emit): void {
    for (let member = 0; member < this.#up.length; member++) {
      takeAll(this.#up[member], nowUs, 1 - member, emit);
    }
  }

  #releaseLan(nowUs: number, emit: Emit, emitFar: EmitFar): void {
    const risen: Risen[] = [];
    for (let member = 0; member < this.#up.length; member++) {
      const pipe = this.#up[member];
      for (let out = pipe?.takeDue(nowUs); out !== undefined; out = pipe?.takeDue(nowUs)) {
        const { packet, dueUs, outUs, slackUs } = out;
        risen.push({ member, packet, dueUs, found: { atUs: outUs, slackUs } });
      }
    }
    // Pipes down take their packets in the order of time, also when this comes late.
    if (risen.length > 1) risen.sort((a, b) => a.dueUs - b.dueUs);
    for (const one of risen) this.#forward(one);
    for (let one = this.#held?.take(nowUs); one !== undefined; one = this.#held?.take(nowUs)) {
      this.#descend(one);
    }
    for (let one = this.#far.take(nowUs); one !== undefined; one = this.#far.take(nowUs)) {
      const { peer, from, packet, dueUs: outUs, sinceUs } = one;
      emitFar(peer, from, packet, { outUs, sinceUs });
    }
    for (let member = 0; member < this.#down.length; member++) {
      takeAll(this.#down[member], nowUs, member, emit);
    }
  }

  change(nowUs: number, member: number, way: "up" | "down", state: DirectionState): void {
    const pipe = this.pipe(member, way);
    if (pipe === undefined) return;
    pipe.change(nowUs, state);
    this.nextUs = Math.min(this.nextUs, nowUs);
  }

  /** Of a member that is here. */
  #forward(risen: Risen): void {
    const { packet } = risen;
    const to = this.#memberOf.get(readAddress(packet, this.#frameAt));
    const peer = to === undefined ? undefined : this.#peers[to];
    if (peer !== undefined) {
      this.#forwardFar(risen, peer, packet);
      return;
    }
    if (to === undefined) {
      // S2. Each gets a copy of its own: who sends it writes to whom it is into it.
      const peers = new Set(this.#peers.filter((one) => one !== undefined));
      for (const one of peers) this.#forwardFar(risen, one, packet.slice());
    }
    this.#forwardHere(risen);
  }

  /** Not before it is out: there nobody knows that it was found late here. */
  #forwardFar({ member: from, dueUs, found }: Risen, peer: number, packet: Uint8Array): void {
    const sinceUs = dueUs - found.slackUs;
    this.#far.push({ peer, from, packet, dueUs: found.atUs, sinceUs });
  }

  /** To those for whom it is and who are here. */
  #forwardHere(risen: Risen): void {
    const { member: from, packet } = risen;
    const to = this.#memberOf.get(readAddress(packet, this.#frameAt));
    if (to !== undefined) {
      if (to !== from && this.#peers[to] === undefined) this.#deliver(risen, to);
      return;
    }
    for (let member = 0; member < this.#up.length; member++) {
      if (member === from || this.#peers[member] !== undefined) continue;
      this.#deliver({ ...risen, packet: packet.slice() }, member);
    }
  }

  /** At once in a LAN of one machine; else when as long has passed as between any two of it. */
  #deliver({ member: from, packet, dueUs, found }: Risen, member: number): void {
    if (this.#held === undefined) {
      this.#descend({ member, packet, dueUs, found });
      return;
    }
    const holdUs = (this.#holds.fromUs[from] ?? 0) + (this.#holds.toUs[member] ?? 0);
    const heldFound = { ...found, atUs: found.atUs + holdUs };
    this.#held.push({ member, packet, dueUs: dueUs + holdUs, found: heldFound });
  }

  #descend({ member, packet, dueUs, found }: Risen): void {
    this.#down[member]?.arrive(dueUs, packet.length - this.#frameAt, packet, found);
  }

  #learn(member: number, packet: Uint8Array): void {
    const source = readAddress(packet, this.#frameAt + 6);
    if (source === -1 || this.#memberOf.get(source) === member) return;
    if (this.#memberOf.size < networkLimits.lanAddressesMax || this.#memberOf.has(source)) {
      this.#memberOf.set(source, member);
    }
  }
}

function takeAll(
  pipe: Pipe<Uint8Array> | undefined,
  nowUs: number,
  member: number,
  emit: Emit,
): void {
  for (let out = pipe?.take(nowUs); out !== undefined; out = pipe?.take(nowUs)) {
    const { packet, outUs, dueUs, slackUs } = out;
    emit(member, packet, { outUs, sinceUs: dueUs - slackUs });
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
