// SPDX-License-Identifier: MIT
// The receiving end of one flow: takes what comes and counts it. Listens at the address of its node
// in the run only.
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { createServer, type Server, type Socket as TcpSocket } from "node:net";
import type { EndCounts, FlowEnds } from "./traffic-messages.ts";

/** As much as the kernel gives: what comes while the thread does something else must fit. */
const receiveBufferBytes = 4 * 1024 * 1024;

export class TrafficSink {
  readonly #close: () => void;
  #packets = 0;
  #bytes = 0;

  private constructor(open: (sink: TrafficSink) => () => void) {
    this.#close = open(this);
  }

  /** @throws Error when the address cannot be had. */
  static async open(ends: FlowEnds): Promise<TrafficSink> {
    return ends.protocol === "udp"
      ? await TrafficSink.#openUdp(ends)
      : await TrafficSink.#openTcp(ends);
  }

  /** Of TCP the packets are those that the bytes make; see the agent. */
  get counts(): EndCounts {
    return { packets: this.#packets, bytes: this.#bytes, lost: 0 };
  }

  close(): void {
    this.#close();
  }

  static async #openUdp({
    sink: { address, port, descriptor: fd },
  }: FlowEnds): Promise<TrafficSink> {
    const socket = createSocket({ type: "udp4", recvBufferSize: receiveBufferBytes });
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      if (fd === undefined) socket.bind({ address, port, exclusive: true }, resolve);
      else socket.bind({ fd, exclusive: true }, resolve);
    });
    return new TrafficSink((sink) => sink.#takeDatagrams(socket));
  }

  #takeDatagrams(socket: UdpSocket): () => void {
    socket.on("error", () => undefined);
    socket.on("message", ({ length }) => {
      this.#packets += 1;
      this.#bytes += length;
    });
    return () => socket.close();
  }

  static async #openTcp({
    sink: { address, port, descriptor: fd },
  }: FlowEnds): Promise<TrafficSink> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      if (fd === undefined) server.listen({ host: address, port, exclusive: true }, resolve);
      else server.listen({ fd, exclusive: true }, resolve);
    });
    return new TrafficSink((sink) => sink.#takeConnections(server));
  }

  #takeConnections(server: Server): () => void {
    const open = new Set<TcpSocket>();
    server.on("connection", (socket) => {
      open.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => open.delete(socket));
      socket.on("data", ({ length }: Buffer) => {
        this.#bytes += length;
      });
    });
    return () => {
      server.close();
      for (const socket of open) socket.destroy();
    };
  }
}
