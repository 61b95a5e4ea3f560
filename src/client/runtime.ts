// SPDX-License-Identifier: MIT
// What a client needs besides sockets. A client imports neither the server's clock nor its source
// of randomness: a program that embeds it, or a simulator, hands in its own.

export interface ClientRuntime {
  /** Monotonic, microseconds. */
  nowUs(): number;
  /** Calls `callback` once after `delayMs`; the value returned cancels it. */
  after(delayMs: number, callback: () => void): () => void;
  /** Unpredictable bytes. */
  randomBytes(byteCount: number): Uint8Array;
}
