// SPDX-License-Identifier: MIT
// One end of a probe: a UDP socket, and the steps it is told. Counts and stamps, judges nothing.
//
//   O1. Who has sent everything says so, several times because packets are lost, and behind the
//       data, so that what has not come then is lost.
//   O2. A step ends by its time-out, whatever comes.
//   O3. Packets name their step: an end that is already in the next one loses nothing.
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import type { Clock } from "../../host/clock.ts";
import { readSocketDrops } from "../../host/kernel-drops.ts";
import { CbrSchedule } from "../agents/trafgen/cbr-schedule.ts";
import { FullLink, leastOffered, steadyEnds } from "./full-link.ts";
import type { ProbeOrder, ProbeStep, SendStep, StepAnswer } from "./probe-order.ts";
import {
  decodePacket,
  encodePacket,
  type PacketKind,
  type ProbePacket,
  packetBytes,
} from "./probe-packet.ts";

/** As much as the kernel gives: what comes while this process does not run must fit. */
const bufferBytes = 4 * 1024 * 1024;
/** Between two looks at what is due to be sent. */
const turnMs = 1;
/** Sent this often behind the last packet, so that losing some of them does not matter. */
const endPackets = 20;
const endIntervalMs = 10;
/** What is overtaken by `end` may still come. */
const lateMs = 100;
interface Receiving {
  /** One bit each: repeats count once. */
  readonly seen: Uint8Array;
  /** When each was read, where the spacing matters; else of the first and the last only. */
  readonly readUs: Float64Array;
  readonly spacingUs: number | undefined;
  packets: number;
  readonly over: PromiseWithResolvers<void>;
}

interface Pinging {
  readonly count: number;
  readonly sentUs: number[];
  /** Whose answers came: a link may bring a packet twice. */
  readonly answered: Set<number>;
  readonly thereUs: number[];
  readonly backUs: number[];
  readonly over: PromiseWithResolvers<void>;
}

export class Probe {
  readonly #order: ProbeOrder;
  readonly #clock: Clock;
  readonly #socket: Socket;
  readonly #packet = Buffer.alloc(packetBytes);
  /** Of each step that receives. */
  readonly #receiving = new Map<number, Receiving>();
  readonly #onSent = (error: Error | null): void => {
    if (error !== null) this.#refused += 1;
  };
  #pinging: Pinging | undefined;
  #step = 0;
  /** Packets of the data that the kernel did not take after all. */
  #refused = 0;

  private constructor(order: ProbeOrder, clock: Clock, socket: Socket) {
    this.#order = order;
    this.#clock = clock;
    this.#socket = socket;
    for (const [step, { receive }] of order.steps.entries()) {
      if (receive !== undefined) this.#receiving.set(step, receivingOf(receive));
    }
    socket.on("message", (bytes) => this.#take(bytes));
    // Refusals of an end that is not open yet or not any more: the packet is lost on the way.
    socket.on("error", () => undefined);
  }

  /** @throws Error when the address cannot be had. */
  static async open(order: ProbeOrder, clock: Clock): Promise<Probe> {
    const socket = createSocket({
      ...{ type: "udp4", recvBufferSize: bufferBytes, sendBufferSize: bufferBytes },
    });
    const { own, peer } = order;
    const bound = once(socket, "listening");
    socket.bind({ address: own.address, port: own.port, exclusive: true });
    await bound;
    const connected = once(socket, "connect");
    socket.connect(peer.port, peer.address);
    await connected;
    return new Probe(order, clock, socket);
  }

  /** Plays all steps. Never rejects for what happens on the network. */
  async play(): Promise<readonly StepAnswer[]> {
    const answers: StepAnswer[] = [];
    for (const step of this.#order.steps) {
      answers.push(await this.#play(step));
      this.#step += 1;
    }
    return answers;
  }

  close(): void {
    this.#socket.close();
  }

  async #play(step: ProbeStep): Promise<StepAnswer> {
    const timeOut = Promise.withResolvers<void>();
    const cancel = this.#clock.after(step.timeoutMs, timeOut.resolve);
    const dropsBefore = this.#drops();
    const sending = this.#send(step.send);
    const pinging = this.#ping(step.ping);
    const received = this.#receiving.get(this.#step)?.over.promise;
    await Promise.race([timeOut.promise, Promise.all([pinging, received])]);
    const sent = await sending;
    cancel();
    return {
      ...(step.ping === undefined ? {} : { ping: this.#pingAnswer() }),
      ...(sent === undefined ? {} : { sent }),
      ...(step.receive === undefined ? {} : { received: this.#received(dropsBefore) }),
    };
  }

  #received(dropsBefore: number): NonNullable<StepAnswer["received"]> {
    const receiving = this.#receiving.get(this.#step);
    const { packets = 0, spacingUs, readUs = new Float64Array() } = receiving ?? {};
    const overflowed = this.#drops() - dropsBefore;
    const ends =
      spacingUs === undefined
        ? {
            firstUs: readUs[0] ?? 0,
            lastUs: readUs[packets > 1 ? 1 : 0] ?? 0,
            between: Math.max(0, packets - 1),
          }
        : steadyEnds(readUs.subarray(0, packets), spacingUs);
    return { packets, ...ends, endedUs: this.#clock.nowUs(), overflowed };
  }

  #pingAnswer(): NonNullable<StepAnswer["ping"]> {
    const { sentUs = [], thereUs = [], backUs = [] } = this.#pinging ?? {};
    this.#pinging = undefined;
    return { sent: sentUs.length, thereUs, backUs };
  }

  /** Sends what is due at each turn, then says that this was all. */
  async #send(send: SendStep | undefined): Promise<StepAnswer["sent"]> {
    if (send === undefined) return undefined;
    const { packets, payloadBytes, intervalUs, burstPacketsMax } = send;
    const packet = Buffer.alloc(payloadBytes);
    const startUs = this.#clock.nowUs();
    this.#refused = 0;
    // A sender that cannot keep up sends fewer, which is said.
    const stopUs = startUs + send.giveUpMs * 1_000;
    // Who is later than a burst has lost its place.
    const schedule = new CbrSchedule(startUs, intervalUs, {
      lateUsMax: (burstPacketsMax - 1) * intervalUs,
      batchPacketsMax: burstPacketsMax,
    });
    const link = send.fills === undefined ? undefined : new FullLink(send.fills);
    const sentUs: number[] = [];
    let [sent, lastUs] = [0, startUs];
    while (sent < packets && lastUs < stopUs) {
      const { due } = schedule.take(this.#clock.nowUs());
      for (let at = 0; at < due && sent < packets; at += 1) {
        if (!this.#put("data", sent, packet)) continue;
        sent += 1;
        const nowUs = this.#clock.nowUs();
        link?.sent(nowUs);
        if (link !== undefined) sentUs.push(nowUs);
      }
      lastUs = this.#clock.nowUs();
      if (sent < packets) await this.#pause(turnMs);
    }
    await this.#sayEnd(sent);
    const ofLink =
      link === undefined ? {} : { idleUs: link.idleUs, leastOffered: leastOffered(sentUs) };
    return { packets: sent - this.#refused, tookUs: lastUs - startUs, lastUs, ...ofLink };
  }

  /** O1. */
  async #sayEnd(number: number): Promise<void> {
    for (let at = 0; at < endPackets; at += 1) {
      this.#put("end", number);
      await this.#pause(endIntervalMs);
    }
  }

  async #ping(ping: ProbeStep["ping"]): Promise<void> {
    if (ping === undefined) return;
    const over = Promise.withResolvers<void>();
    const { count } = ping;
    const answered = new Set<number>();
    const pinging: Pinging = { count, sentUs: [], answered, thereUs: [], backUs: [], over };
    this.#pinging = pinging;
    for (let at = 0; at < count; at += 1) {
      pinging.sentUs.push(this.#clock.nowUs());
      this.#put("ping", at);
      await this.#pause(ping.intervalMs);
    }
    const cancel = this.#clock.after(ping.waitMs, over.resolve);
    if (pinging.backUs.length < count) await over.promise;
    cancel();
    await this.#sayEnd(count);
  }

  #take(bytes: Uint8Array): void {
    const nowUs = this.#clock.nowUs();
    const packet = decodePacket(bytes);
    if (packet?.session !== this.#order.session) return;
    switch (packet.kind) {
      case "ping":
        this.#put("pong", packet.number, this.#packet, nowUs);
        break;
      case "pong":
        this.#pong(packet.number, packet.stampUs, nowUs);
        break;
      case "data":
        this.#data(packet, nowUs);
        break;
      case "end":
        this.#end(packet.step);
        break;
    }
  }

  #pong(number: number, thereUs: number, nowUs: number): void {
    const pinging = this.#pinging;
    const sentUs = pinging?.sentUs[number];
    if (pinging === undefined || sentUs === undefined) return;
    if (pinging.answered.has(number)) return;
    pinging.answered.add(number);
    pinging.thereUs.push(thereUs - sentUs);
    pinging.backUs.push(nowUs - thereUs);
    if (pinging.backUs.length >= pinging.count) pinging.over.resolve();
  }

  #data({ step, number }: ProbePacket, nowUs: number): void {
    const receiving = this.#receiving.get(step);
    const byte = receiving?.seen[number >> 3];
    if (receiving === undefined || byte === undefined) return;
    const bit = 1 << (number & 7);
    if ((byte & bit) !== 0) return;
    receiving.seen[number >> 3] = byte | bit;
    const at =
      receiving.spacingUs === undefined ? Math.min(1, receiving.packets) : receiving.packets;
    receiving.readUs[at] = nowUs;
    receiving.packets += 1;
  }

  #end(step: number): void {
    const receiving = this.#receiving.get(step);
    if (receiving !== undefined) this.#clock.after(lateMs, receiving.over.resolve);
  }

  /** @returns false where the kernel did not take it. */
  #put(kind: PacketKind, number: number, packet: Buffer = this.#packet, stampUs = 0): boolean {
    // What the kernel has no room for would wait here, and be overwritten by the next one.
    if (this.#socket.getSendQueueCount() > 0) return false;
    const { session } = this.#order;
    const stamp = stampUs === 0 ? this.#clock.nowUs() : stampUs;
    const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
    encodePacket({ kind, step: this.#step, session, number, stampUs: stamp }, view);
    try {
      this.#socket.send(packet, kind === "data" ? this.#onSent : undefined);
      return true;
    } catch {
      return false;
    }
  }

  /** What the kernel dropped at this socket. */
  #drops(): number {
    return readSocketDrops(this.#socket.address());
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.after(ms, resolve);
    });
  }
}

function receivingOf({ packets, spacingUs }: NonNullable<ProbeStep["receive"]>): Receiving {
  return {
    seen: new Uint8Array(Math.ceil(packets / 8)),
    readUs: new Float64Array(spacingUs === undefined ? 2 : packets),
    ...{ spacingUs, packets: 0, over: Promise.withResolvers<void>() },
  };
}
