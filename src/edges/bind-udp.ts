// SPDX-License-Identifier: MIT
// A UDP socket of a door. It is bound without address reuse, which makes it the lock against a
// second server on the port.
import { createSocket, type RemoteInfo, type Socket, type SocketOptions } from "node:dgram";
import { isIPv6 } from "node:net";

export interface BindUdpOptions {
  readonly buffers: Pick<SocketOptions, "recvBufferSize" | "sendBufferSize">;
  readonly onDatagram: (bytes: Buffer, from: RemoteInfo, at: Socket, address: string) => void;
  /** Of a socket that is bound. */
  readonly onSocketError: (error: Error) => void;
}

/** Rejects with what the system says when the port cannot be had. @param port 0 takes a free one */
export function bindUdp(options: BindUdpOptions, address: string, port: number): Promise<Socket> {
  const socket = createSocket({
    type: isIPv6(address) ? "udp6" : "udp4",
    ...options.buffers,
    // Every answer goes to a numeric address; the resolver would cost a turn of the loop each.
    lookup: (host, _options, callback) => callback(null, host, isIPv6(host) ? 6 : 4),
  });
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off("error", reject);
      socket.on("error", options.onSocketError);
      socket.on("message", (bytes, from) => options.onDatagram(bytes, from, socket, address));
      resolve(socket);
    });
  });
}
