// SPDX-License-Identifier: MIT
// The platform under the client library: its clock, randomness and WebSocket, as a browser and Node
// both have them. The servers have host/clock.ts and host/ids.ts for that; a program that embeds
// the library must not load them. Who tests hands in a platform of his own.
import type { ClientRuntime } from "./runtime.ts";

/** The part of a WebSocket that a session uses. */
export interface WebSocketLike {
  onopen: (() => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null;
  /** The event may have an `error`, which says why. */
  onerror: ((event: unknown) => void) | null;
  send(text: string): void;
  close(code?: number, reason?: string): void;
}

export interface ClientPlatform extends ClientRuntime {
  openSocket(url: string, protocols: readonly string[]): WebSocketLike;
  /** Milliseconds since 1970. */
  wallMs(): number;
  /** Returns when `nowUs()` is `us`, and not before: for what timers are too coarse for. */
  spinUntil(us: number): void;
  /** Calls `callback` when the running piece of program is done. */
  soon(callback: () => void): void;
}

const nowUs = (): number => Math.trunc(performance.now() * 1000);

export const platform: ClientPlatform = {
  nowUs,
  spinUntil(us) {
    while (nowUs() < us);
  },
  wallMs: () => Date.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
  randomBytes: (byteCount) => crypto.getRandomValues(new Uint8Array(byteCount)),
  openSocket: (url, protocols) => new WebSocket(url, [...protocols]) as WebSocketLike,
  soon: (callback) => queueMicrotask(callback),
};
