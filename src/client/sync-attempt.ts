// SPDX-License-Identifier: MIT
// One try over TCP: connect, send the request, read until end of file, or for a moment past a whole
// reply. [EMULAB-SYNC 2]
import { connect } from "node:net";
import { type ByteOrder, replyBytes } from "../wire/emulab-sync/index.ts";
import type { ClientRuntime } from "./runtime.ts";
import { syncClientTime } from "./sync-time.ts";

export type AttemptResult =
  /** What came until the end, at most one byte more than a reply has. */
  | { readonly kind: "reply"; readonly bytes: Uint8Array }
  /** Nobody listens (yet), or nobody answered in time: worth another try. */
  | { readonly kind: "refused" }
  | { readonly kind: "failed"; readonly message: string };

export interface AttemptOptions {
  readonly address: string;
  readonly port: number;
  /** The request, and the byte order it is in. */
  readonly bytes: Uint8Array;
  readonly byteOrder: ByteOrder;
  readonly runtime: ClientRuntime;
  /** TCP: called once. UDP: `refused` may come often, the others once. */
  readonly onResult: (result: AttemptResult) => void;
  /** TCP: somebody listens there. UDP cannot know. */
  readonly onConnect?: () => void;
}

export interface Attempt {
  close(): void;
}

/** Probes start after this much silence, milliseconds. */
const keepAliveMs = 60_000;

export function startTcp(options: AttemptOptions): Attempt {
  const { address, port, bytes, runtime } = options;
  const socket = connect({ host: address, port });
  const received: Buffer[] = [];
  let receivedBytes = 0;
  let isOver = false;
  let cancelEnd: (() => void) | undefined;
  const cancelTimers = (): void => {
    cancelConnect();
    cancelEnd?.();
  };
  const finish = (result: AttemptResult): void => {
    if (isOver) return;
    isOver = true;
    cancelTimers();
    socket.destroy();
    options.onResult(result);
  };
  const finishReply = (): void => finish({ kind: "reply", bytes: Buffer.concat(received) });
  const cancelConnect = runtime.after(syncClientTime.connectMs, () => finish({ kind: "refused" }));
  socket.on("connect", () => {
    cancelConnect();
    options.onConnect?.();
    socket.setKeepAlive(true, keepAliveMs);
    socket.write(bytes);
  });
  socket.on("data", (chunk: Buffer) => {
    if (receivedBytes > replyBytes) return;
    received.push(chunk.subarray(0, replyBytes + 1 - receivedBytes));
    receivedBytes += chunk.length;
    // The answer is whole: a server that forgets to close must not hold a client that was released.
    if (receivedBytes >= replyBytes) {
      cancelEnd ??= runtime.after(syncClientTime.endMs, finishReply);
    }
  });
  socket.on("end", finishReply);
  socket.on("error", (error: NodeJS.ErrnoException) => {
    const isAway = error.code === "ECONNREFUSED" || error.code === "ETIMEDOUT";
    finish(
      isAway && socket.bytesWritten === 0
        ? { kind: "refused" }
        : { kind: "failed", message: `the connection to the server failed: ${error.message}` },
    );
  });
  return {
    close() {
      isOver = true;
      cancelTimers();
      socket.destroy();
    },
  };
}
