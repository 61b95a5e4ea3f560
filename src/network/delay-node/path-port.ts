// SPDX-License-Identifier: MIT
// The socket by which a delay node exchanges packets of links with the delay nodes of other
// machines, over those machines' own network, and by which it finds out what that network does to
// them. Frames are those of VXLAN; what measures is told apart by the flag that says that a number
// is there, which it lacks.
//
//   X1. What comes from elsewhere than the address and port of a peer is passed over.
//   X2. What is measured is never better than the path: the machines' own slowness counts with it.
import { createSocket, type Socket } from "node:dgram";
import { systemClock } from "../../host/clock.ts";
import type { PathMeasure, PathPeer } from "./shaper-messages.ts";

const bufferBytes = 4 * 1024 * 1024;
/**
 * Round trips, one after the other, until so many were no shorter than the shortest: what a busy
 * machine adds would be taken off links. Each is given up after a while.
 */
const stillPings = 40;
const pingsMax = 400;
/** Shorter by less than this is none. */
const shorterUs = 10;
const pingWaitMs = 1_000;
/** So many answers that never came are no path. */
const silentPingsMax = 3;
/** Packets that are sent at once, so often, to see how fast they come. */
const trains = 4;
const trainPackets = 64;
const trainWaitMs = 2_000;
const trainBytes = 1_400;
/** Of these at the end of a train each is answered, because some of them may be lost. */
const answered = 8;
/** IPv4 and UDP, and Ethernet around them. */
const outerBytes = 20 + 8 + 14;

const kinds = { ping: 1, pong: 2, train: 3, trained: 4 } as const;
/** Kind in the second byte, as with a number; then these two. */
const probeBytes = 24;
const numberAt = 8;
const countAt = 12;

interface Awaited {
  readonly kind: number;
  readonly number: number;
  readonly heard: (count: number, nowUs: number) => void;
}

export class PathPort {
  readonly #peers: readonly PathPeer[];
  readonly #byPlace: ReadonlyMap<string, number>;
  readonly #socket: Socket;
  readonly #take: (peer: number, packet: Uint8Array) => void;
  /** By peer. */
  readonly #awaited = new Map<number, Awaited>();
  /** Of the train that a peer sends: its number, and how many have come. */
  readonly #trains = new Map<number, { number: number; count: number }>();
  #numbers = 0;
  #unsent = 0;

  /** @param take hears packets of links, and may keep and change them */
  constructor(peers: readonly PathPeer[], take: (peer: number, packet: Uint8Array) => void) {
    this.#peers = peers;
    this.#byPlace = new Map(peers.map(({ address, port }, at) => [`${address}:${port}`, at]));
    this.#take = take;
    this.#socket = createSocket({
      ...{ type: "udp4", recvBufferSize: bufferBytes, sendBufferSize: bufferBytes },
    });
    this.#socket.on("message", (packet, { address, port }) => {
      const peer = this.#byPlace.get(`${address}:${port}`); // X1.
      if (peer !== undefined) this.#hear(peer, packet);
    });
    this.#socket.on("error", () => {
      this.#unsent += 1;
    });
  }

  /** Packets that the kernel did not take. */
  get unsent(): number {
    return this.#unsent;
  }

  get address(): ReturnType<Socket["address"]> {
    return this.#socket.address();
  }

  /** @param descriptor of a socket that is bound */
  open(descriptor: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.once("error", reject);
      this.#socket.bind({ fd: descriptor }, () => {
        this.#socket.off("error", reject);
        resolve();
      });
    });
  }

  send(peer: number, packet: Uint8Array): void {
    const { address, port } = this.#peers[peer] ?? {};
    if (port !== undefined) this.#socket.send(packet, port, address);
  }

  /** X2. @throws Error with a sentence when nothing answers */
  async measure(peer: number): Promise<PathMeasure> {
    let [roundUs, silent] = [Infinity, 0];
    let shortestAt = 0;
    for (let at = 0; at < pingsMax && at - shortestAt <= stillPings; at += 1) {
      const tookUs = await this.#ping(peer);
      if (tookUs < roundUs - shorterUs) shortestAt = at;
      roundUs = Math.min(roundUs, tookUs);
      if (tookUs === Infinity) silent += 1;
      if (silent > silentPingsMax) break;
    }
    if (roundUs === Infinity) {
      const { address, port } = this.#peers[peer] ?? {};
      throw new Error(
        `nothing answers from ${address} port ${port} (UDP); let that through between the machines`,
      );
    }
    let bandwidthBps = 0;
    for (let at = 0; at < trains; at += 1) {
      bandwidthBps = Math.max(bandwidthBps, await this.#train(peer, roundUs));
    }
    return { delayUs: Math.ceil(roundUs / 2), bandwidthBps: Math.round(bandwidthBps) };
  }

  #ping(peer: number): Promise<number> {
    const sentUs = systemClock.nowUs();
    return this.#await(peer, kinds.pong, pingWaitMs, (number, end) => {
      this.#probe(peer, { kind: kinds.ping, number, count: 0, bytes: probeBytes });
      return (_count, nowUs) => end(nowUs - sentUs);
    });
  }

  /** By this end's clock alone: what it takes longer than a round trip is what the path takes. */
  async #train(peer: number, roundUs: number): Promise<number> {
    const sentUs = systemClock.nowUs();
    let bestBps = 0;
    await this.#await(peer, kinds.trained, trainWaitMs, (number, end) => {
      const probe = { kind: kinds.train, number, bytes: trainBytes };
      for (let count = 0; count < trainPackets; count += 1) this.#probe(peer, { ...probe, count });
      return (count, nowUs) => {
        const bits = 8 * count * (trainBytes + outerBytes);
        bestBps = Math.max(bestBps, (bits * 1_000_000) / Math.max(1, nowUs - sentUs - roundUs));
        if (count === trainPackets) end(0);
      };
    });
    return bestBps;
  }

  /** @returns what `end` was given, Infinity when the time is over */
  #await(
    peer: number,
    kind: number,
    waitMs: number,
    begin: (number: number, end: (value: number) => void) => Awaited["heard"],
  ): Promise<number> {
    this.#numbers += 1;
    const number = this.#numbers;
    return new Promise((resolve) => {
      const end = (value: number): void => {
        cancel();
        this.#awaited.delete(peer);
        resolve(value);
      };
      const cancel = systemClock.after(waitMs, () => end(Infinity));
      this.#awaited.set(peer, { kind, number, heard: begin(number, end) });
    });
  }

  #hear(peer: number, packet: Uint8Array): void {
    if (packet[0] !== 0) {
      this.#take(peer, packet);
      return;
    }
    if (packet.length < probeBytes) return;
    const nowUs = systemClock.nowUs();
    const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
    const [kind, number] = [view.getUint8(1), view.getUint32(numberAt)];
    if (kind === kinds.ping) {
      this.#probe(peer, { kind: kinds.pong, number, count: 0, bytes: probeBytes });
    } else if (kind === kinds.train) this.#trained(peer, number, view.getUint32(countAt));
    else {
      const awaited = this.#awaited.get(peer);
      if (awaited?.kind === kind && awaited.number === number) {
        awaited.heard(view.getUint32(countAt), nowUs);
      }
    }
  }

  #trained(peer: number, number: number, at: number): void {
    const known = this.#trains.get(peer);
    const train = known?.number === number ? known : { number, count: 0 };
    this.#trains.set(peer, train);
    train.count += 1;
    if (at < trainPackets - answered) return;
    this.#probe(peer, { kind: kinds.trained, number, count: train.count, bytes: probeBytes });
  }

  #probe(
    peer: number,
    probe: {
      readonly kind: number;
      readonly number: number;
      readonly count: number;
      readonly bytes: number;
    },
  ): void {
    const { kind, number, count, bytes } = probe;
    const packet = new Uint8Array(bytes);
    const view = new DataView(packet.buffer);
    view.setUint8(1, kind);
    view.setUint32(numberAt, number);
    view.setUint32(countAt, count);
    this.send(peer, packet);
  }
}
