// SPDX-License-Identifier: MIT
// Client of the Emulab sync service: arrives at a barrier and waits for its answer.
// [EMULAB-SYNC 2] [EMULAB-SYNC 4] Owns retries, UDP repeats and the time-out; does not own texts
// and exit codes (cli/compat).
//
//   Y1. The outcome is told once, and nothing of the request is left open then.
//   Y2. A UDP request keeps its port and its bytes over all repeats, so that it counts once; no two
//       requests share them.
import type { BarrierDescription } from "../core/description.ts";
import {
  type ByteOrder,
  decodeReply,
  encodeRequest,
  type InitRequest,
  nameBytesMax,
  replyBytes,
  type WaitRequest,
} from "../wire/emulab-sync/index.ts";
import { askWhoIsMissing } from "./describe-barrier.ts";
import type { ClientRuntime } from "./runtime.ts";
import { type Attempt, type AttemptResult, startTcp } from "./sync-attempt.ts";
import { syncClientTime } from "./sync-time.ts";

/** The byte order of the machine, as the C client's. */
const byteOrder: ByteOrder =
  new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? "little" : "big";

export interface SyncOptions {
  /** Numeric address of the server. */
  readonly address: string;
  readonly port: number;
  readonly transport: "tcp" | "udp";
  readonly request: InitRequest | WaitRequest;
  readonly runtime: ClientRuntime;
  /** Give up waiting after this much; for ever when absent. */
  readonly timeoutMs?: number;
  /** Give up looking for the server after this much; for ever when absent. */
  readonly waitForServerMs?: number;
  /** The server was not there; another try follows. */
  readonly onRetry?: () => void;
  /** Ends the wait as `cancelled`; the arrival is taken back. */
  readonly interrupt?: AbortSignal;
}

/** How a wait ends that nobody interrupts. */
export type SyncEnd =
  /** The server's word: 0 for a crossing, else an error. Never negative. */
  | { readonly kind: "answered"; readonly value: number }
  /** `barrier` is undefined when the server cannot tell, null when it knows no such barrier. */
  | { readonly kind: "timeout"; readonly barrier: BarrierDescription | null | undefined }
  /** Nobody was found; `after` is the time that was up. */
  | { readonly kind: "no-server"; readonly after: "timeout" | "wait-for-server" }
  /** No answer that means anything; `message` says what came instead. */
  | {
      readonly kind: "protocol";
      readonly cause: "no-answer" | "strange-answer" | "connection";
      readonly message: string;
    };

export type SyncOutcome = SyncEnd | { readonly kind: "cancelled" };

/**
 * Arrives at a barrier and waits for the answer. Never rejects.
 *
 * @example
 * ```ts
 * const outcome = await synchronize({
 *   address: "127.0.0.1", port: 16534, transport: "tcp", runtime,
 *   request: { kind: "wait", name: "barrier", error: 0 },
 * });
 * ```
 */
export function synchronize(options: SyncOptions): Promise<SyncOutcome> {
  return new Promise((resolve) => {
    new Synchronization(options, resolve).start();
  });
}

class Synchronization {
  readonly #options: SyncOptions;
  readonly #resolve: (outcome: SyncOutcome) => void;
  readonly #startedUs: number;
  readonly #bytes: Uint8Array;
  /** Somebody took a connection once. */
  #wasConnected = false;
  #attempt: Attempt | undefined;
  #cancelRetry: (() => void) | undefined;
  #cancelTimeout: (() => void) | undefined;
  #done = false;
  readonly #onInterrupt = (): void => this.#finish({ kind: "cancelled" });

  constructor(options: SyncOptions, resolve: (outcome: SyncOutcome) => void) {
    this.#options = options;
    this.#resolve = resolve;
    this.#startedUs = options.runtime.nowUs();
    const nonce = options.transport === "udp" ? { nonce: options.runtime.randomBytes(8) } : {};
    this.#bytes = encodeRequest(options.request, { version: 2, byteOrder, ...nonce });
  }

  start(): void {
    const { timeoutMs, runtime, interrupt } = this.#options;
    if (interrupt?.aborted) {
      this.#finish({ kind: "cancelled" });
      return;
    }
    interrupt?.addEventListener("abort", this.#onInterrupt);
    if (timeoutMs !== undefined) {
      this.#cancelTimeout = runtime.after(timeoutMs, () => void this.#onTimeout());
    }
    void this.#try();
  }

  async #try(): Promise<void> {
    // Loaded only when used: the program starts anew for every arrival.
    const isTcp = this.#options.transport === "tcp";
    const start = isTcp ? startTcp : (await import("./sync-attempt-udp.ts")).startUdp;
    if (this.#done) return;
    const { address, port, runtime } = this.#options;
    this.#attempt = start({
      address,
      port,
      runtime,
      bytes: this.#bytes,
      byteOrder,
      onResult: (result) => this.#onResult(result),
      onConnect: () => {
        this.#wasConnected = true;
      },
    });
  }

  #onResult(result: AttemptResult): void {
    if (this.#done) return;
    switch (result.kind) {
      case "reply": {
        const value = decodeReply(result.bytes, byteOrder);
        if (value !== undefined && value >= 0) this.#finish({ kind: "answered", value });
        else this.#finish(describeReply(result.bytes, value));
        return;
      }
      case "failed":
        this.#finish({ kind: "protocol", cause: "connection", message: result.message });
        return;
      case "refused":
        this.#onRefused();
        return;
    }
  }

  #onRefused(): void {
    const { runtime, waitForServerMs, onRetry, transport } = this.#options;
    const elapsedMs = (runtime.nowUs() - this.#startedUs) / 1000;
    if (waitForServerMs !== undefined && elapsedMs >= waitForServerMs) {
      this.#finish({ kind: "no-server", after: "wait-for-server" });
      return;
    }
    onRetry?.();
    if (transport === "udp") return; // It repeats by itself.
    const { retryMs, impatientRetryMs } = syncClientTime;
    const pauseMs =
      waitForServerMs === undefined
        ? retryMs
        : Math.min(impatientRetryMs, waitForServerMs - elapsedMs);
    this.#cancelRetry = runtime.after(pauseMs, () => void this.#try());
  }

  /**
   * The wait goes on while the server is asked: an answer that comes meanwhile is the answer. Over
   * UDP only a refusal says that nobody is there; that no connection came about may be a filter's
   * doing.
   */
  async #onTimeout(): Promise<void> {
    const { address, port, request, runtime, transport } = this.#options;
    const { describeMs: timeoutMs } = syncClientTime;
    const { name } = request;
    const answer = await askWhoIsMissing({ address, port, name, byteOrder, runtime, timeoutMs });
    const isAbsent =
      answer.kind === "refused" || (answer.kind === "no-connection" && transport === "tcp");
    if (isAbsent && !this.#wasConnected) this.#finish({ kind: "no-server", after: "timeout" });
    else if (answer.kind === "answered") this.#finish({ ...answer, kind: "timeout" });
    else this.#finish({ kind: "timeout", barrier: undefined });
  }

  /** Y1. */
  #finish(outcome: SyncOutcome): void {
    if (this.#done) return;
    this.#done = true;
    this.#attempt?.close();
    this.#cancelRetry?.();
    this.#cancelTimeout?.();
    this.#options.interrupt?.removeEventListener("abort", this.#onInterrupt);
    this.#resolve(outcome);
  }
}

function describeReply(bytes: Uint8Array, value: number | undefined): SyncEnd {
  if (value === undefined && bytes.length === 0) {
    const message = "the server closed the connection without an answer";
    return { kind: "protocol", cause: "no-answer", message };
  }
  const what = value === undefined ? `${bytes.length} bytes instead of ${replyBytes}` : undefined;
  const message = `the server answered with ${what ?? `the negative number ${value}`}`;
  return { kind: "protocol", cause: "strange-answer", message };
}

/** Bytes of a barrier's name as the wire has them; undefined when empty or longer than 63. */
export function toWireName(name: string): string | undefined {
  const bytes = new TextEncoder().encode(name);
  if (bytes.length === 0 || bytes.length > nameBytesMax || bytes.includes(0)) return undefined;
  return String.fromCharCode(...bytes);
}
