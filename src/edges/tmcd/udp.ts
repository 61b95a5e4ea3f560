// SPDX-License-Identifier: MIT
// The UDP door of the configuration server: a datagram in, at most one out. [EMULAB-TMCD 2]
//
//   U1. Nothing to say is no datagram at all.
//   U2. A reply that does not fit is not cut: it is not sent, and the log says so (fault 5).
import { replyBytesMaxUdp, requestBytesMaxUdp } from "../../wire/tmcd/index.ts";
import { type AnswerOptions, answer } from "./answer.ts";
import { datagramsInFlightMax } from "./bounds.ts";

/** Where a datagram came from and how to answer it. */
export interface DatagramSource {
  readonly address: string;
  readonly port: number;
  readonly localAddress: string;
  readonly send: (reply: Uint8Array, port: number, address: string) => void;
}

export class UdpDoor {
  readonly #options: AnswerOptions;
  #inFlight = 0;

  constructor(options: AnswerOptions) {
    this.#options = options;
  }

  /** Datagrams being answered. */
  get inFlightCount(): number {
    return this.#inFlight;
  }

  receive(bytes: Buffer, from: DatagramSource): void {
    if (bytes.length > requestBytesMaxUdp) {
      this.#note(from, `a datagram is longer than ${requestBytesMaxUdp} bytes`);
    } else if (this.#inFlight >= datagramsInFlightMax) {
      this.#note(from, "dropped: too many datagrams at once");
    } else if (from.port !== 0) void this.#answer(bytes.toString("latin1"), from);
  }

  async #answer(text: string, from: DatagramSource): Promise<void> {
    const { address: peerAddress, port, localAddress, send } = from;
    const route = { transport: "udp", isTls: false, peerAddress, localAddress } as const;
    this.#inFlight += 1;
    const reply = await answer(text, route, this.#options);
    this.#inFlight -= 1;
    if (reply.length > replyBytesMaxUdp) {
      this.#note(from, `a reply of ${reply.length} bytes does not fit a datagram; ask over TCP`);
    } else if (reply.length > 0) send(reply, port, peerAddress);
  }

  #note(from: DatagramSource, text: string): void {
    this.#options.logger.log("info", `${from.address}/udp: ${text}`);
  }
}
