// SPDX-License-Identifier: MIT
// A request over UDP: the datagram is sent, and sent again, until the answer comes. A new socket
// per request, so that no two requests of a machine share a port while one of them waits.
import { createSocket } from "node:dgram";
import { encodeLeave } from "../wire/emulab-sync/index.ts";
import type { Attempt, AttemptOptions } from "./sync-attempt.ts";
import { syncClientTime } from "./sync-time.ts";

export function startUdp(options: AttemptOptions): Attempt {
  const { address, port, bytes, byteOrder, runtime, onResult } = options;
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  let pauseMs: number = syncClientTime.repeatFirstMs;
  let cancelRepeat = (): void => undefined;
  let isConnected = false;
  let isOver = false;
  const send = (): void => {
    if (isOver) return;
    socket.send(bytes, ignoreError);
    cancelRepeat = runtime.after(withJitter(pauseMs, runtime.randomBytes(1)[0] ?? 0), send);
    pauseMs = Math.min(pauseMs * 2, syncClientTime.repeatMaxMs);
  };
  const stop = (): void => {
    isOver = true;
    cancelRepeat();
    socket.close();
  };
  socket.on("message", (reply) => {
    if (isOver) return;
    stop();
    onResult({ kind: "reply", bytes: reply });
  });
  socket.on("error", (error: NodeJS.ErrnoException) => {
    if (isOver) return;
    if (error.code === "ECONNREFUSED") {
      onResult({ kind: "refused" });
    } else {
      stop();
      onResult({ kind: "failed", message: `the request could not be sent: ${error.message}` });
    }
  });
  // Connected, so that only the server's datagrams come in, and that its absence is noticed.
  socket.connect(port, address, () => {
    isConnected = true;
    send();
  });
  return {
    close() {
      if (isOver) return;
      // The server cannot see that nobody listens any more. Twice, because one may be lost; if both
      // are, and the request was repeated, the server finds out by the silence.
      const leave = encodeLeave(bytes, byteOrder);
      if (isConnected) for (let copy = 0; copy < 2; copy += 1) socket.send(leave, ignoreError);
      stop();
    },
  };
}

/** A quarter more or less, so that a crowd that started together does not stay together. */
function withJitter(pauseMs: number, randomByte: number): number {
  return pauseMs * (0.75 + randomByte / 512);
}

/** A datagram that cannot be sent now is sent again; what matters comes as an `error` event. */
function ignoreError(): void {}
