// SPDX-License-Identifier: MIT
// The sending end of one flow. Owns its socket and what was sent; when packets are due is said by
// cbr-schedule.ts, and the thread gives it its turns.
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { connect, Socket as TcpSocket } from "node:net";
import { CbrSchedule } from "./cbr-schedule.ts";
import { trafficLimits } from "./traffic-limits.ts";
import type { EndCounts, FlowEnds } from "./traffic-messages.ts";
import type { TrafficSettings } from "./traffic-settings.ts";

/** What sends one packet at once. @returns false when it could not. */
interface Carrier {
  send(packet: Buffer): boolean;
  setTos(tos: number): void;
  close(): void;
}

export class TrafficSource {
  readonly #carrier: Carrier;
  #packet: Buffer;
  #settings: TrafficSettings;
  #schedule: CbrSchedule | undefined;
  #packets = 0;
  #bytes = 0;
  #lost = 0;
  /** Told once: the instant of the first packet, or undefined when it will not come. */
  #onFirst: (atUs: number | undefined) => void = () => undefined;

  private constructor(carrier: Carrier, settings: TrafficSettings) {
    this.#carrier = carrier;
    this.#settings = settings;
    this.#packet = Buffer.alloc(settings.packetBytes);
    this.#applyTos();
  }

  /** @throws Error when the socket cannot be had, or nobody listens at the other end of TCP. */
  static async open(ends: FlowEnds, settings: TrafficSettings): Promise<TrafficSource> {
    const carrier = await (ends.protocol === "udp" ? openUdp(ends) : openTcp(ends));
    return new TrafficSource(carrier, settings);
  }

  get counts(): EndCounts {
    return { packets: this.#packets, bytes: this.#bytes, lost: this.#lost };
  }

  /** When it wants its turn; undefined while it is idle. */
  get nextUs(): number | undefined {
    return this.#schedule?.nextUs;
  }

  /**
   * Resolves with the instant at which the first packet was sent; undefined: another order came.
   */
  start(atUs: number, settings: TrafficSettings): Promise<number | undefined> {
    this.#tellFirst(undefined);
    this.#apply(settings);
    const { lateUsMax, batchPacketsMax } = trafficLimits;
    this.#schedule = new CbrSchedule(atUs, settings.intervalUs, { lateUsMax, batchPacketsMax });
    return new Promise((resolve) => {
      this.#onFirst = resolve;
    });
  }

  change(settings: TrafficSettings, nowUs: number): void {
    this.#apply(settings);
    this.#schedule?.change(settings.intervalUs, nowUs);
  }

  stop(): void {
    this.#schedule = undefined;
    this.#tellFirst(undefined);
  }

  close(): void {
    this.stop();
    this.#carrier.close();
  }

  /** Sends what is due. */
  turn(nowUs: number): void {
    if (this.#schedule === undefined) return;
    const { due, lost } = this.#schedule.take(nowUs);
    this.#lost += lost;
    if (due + lost > 0) this.#tellFirst(nowUs);
    for (let index = 0; index < due; index += 1) {
      if (this.#carrier.send(this.#packet)) {
        this.#packets += 1;
        this.#bytes += this.#packet.length;
      } else {
        this.#lost += 1;
      }
    }
  }

  #tellFirst(atUs: number | undefined): void {
    const tell = this.#onFirst;
    this.#onFirst = () => undefined;
    tell(atUs);
  }

  #apply(settings: TrafficSettings): void {
    this.#settings = settings;
    if (settings.packetBytes !== this.#packet.length) {
      this.#packet = Buffer.alloc(settings.packetBytes);
    }
    this.#applyTos();
  }

  #applyTos(): void {
    if (this.#settings.tos !== undefined) this.#carrier.setTos(this.#settings.tos);
  }
}

async function openUdp({ source, sink }: FlowEnds): Promise<Carrier> {
  const socket = createSocket({ type: "udp4", sendBufferSize: 1 << 20 });
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    const { address, port, descriptor: fd } = source;
    const place = fd === undefined ? { address, port } : { fd };
    socket.bind({ ...place, exclusive: true }, () => {
      // Connected, so that the address is not looked at again for each packet.
      socket.connect(sink.port, sink.address, resolve);
    });
  });
  return new UdpCarrier(socket);
}

/** The kernel takes a datagram at once or not at all. */
class UdpCarrier implements Carrier {
  readonly #socket: UdpSocket;

  constructor(socket: UdpSocket) {
    this.#socket = socket;
    // Refusals of an end that is not open yet: the packets are lost on the way.
    socket.on("error", () => undefined);
  }

  send(packet: Buffer): boolean {
    try {
      this.#socket.send(packet);
      return true;
    } catch {
      return false;
    }
  }

  /** The platform cannot set it for datagrams; the agent says so. */
  setTos(): void {}

  close(): void {
    this.#socket.close();
  }
}

async function openTcp({ source, sink }: FlowEnds): Promise<Carrier> {
  if (source.descriptor !== undefined) {
    // Connected in the network of its node.
    return new TcpCarrier(new TcpSocket({ fd: source.descriptor, readable: true, writable: true }));
  }
  const socket = connect({
    ...{ host: sink.address, port: sink.port, noDelay: true },
    ...{ localAddress: source.address, localPort: source.port },
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.once("connect", resolve);
  });
  return new TcpCarrier(socket);
}

class TcpCarrier implements Carrier {
  readonly #socket: TcpSocket;

  constructor(socket: TcpSocket) {
    this.#socket = socket;
    socket.on("error", () => undefined);
    // The other end sends nothing; reading notices when it has gone.
    socket.resume();
  }

  send(packet: Buffer): boolean {
    const { queueBytesMax } = trafficLimits;
    if (!this.#socket.writable || this.#socket.writableLength > queueBytesMax) return false;
    this.#socket.write(packet);
    return true;
  }

  setTos(tos: number): void {
    if ("setTypeOfService" in this.#socket)
      Reflect.apply(setTypeOf(this.#socket), this.#socket, [tos]);
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Newer than the types of the platform. */
function setTypeOf(socket: TcpSocket): (tos: number) => void {
  return Reflect.get(socket, "setTypeOfService") as (tos: number) => void;
}
