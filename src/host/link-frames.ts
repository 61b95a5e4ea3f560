// SPDX-License-Identifier: MIT
// Frames between an edge and its core in another process: one JSON object a line, UTF-8. Both ends
// are this code, so there is no negotiation beyond the format number in `hello`.
import type { Batch } from "../core/command.ts";
import type { ScopeDescription } from "../core/description.ts";
import type { EdgeEffect } from "../core/effect.ts";

export const linkFormat = 1;
/** The one reason in `closed` after which the edge may come back. */
export const coreIsClosing = "the core is closing";

/** From the edge. `hello` comes first; `seen` is the sequence up to which it has the effects. */
export type EdgeFrame =
  | {
      readonly kind: "hello";
      readonly format: number;
      readonly secret: string;
      readonly edge: string;
      readonly incarnation: number;
      readonly acknowledged: number;
      readonly seen: number;
    }
  | { readonly kind: "batch"; readonly batch: Batch }
  | { readonly kind: "seen"; readonly sequence: number }
  | {
      readonly kind: "describe";
      readonly id: number;
      readonly scope: string;
      readonly barrier?: string;
    };

/**
 * From the core. `closed` is its last word: unless it says `coreIsClosing`, the edge must not come
 * back with this incarnation.
 */
export type CoreFrame =
  | { readonly kind: "welcome"; readonly lastBatch: number }
  | { readonly kind: "applied"; readonly number: number }
  | { readonly kind: "effects"; readonly sequence: number; readonly effects: readonly EdgeEffect[] }
  | { readonly kind: "description"; readonly id: number; readonly description: ScopeDescription }
  | { readonly kind: "closed"; readonly reason: string };

export class FrameError extends Error {
  override readonly name = "FrameError";
}

/** Cuts a stream into frames. After it has thrown it must be discarded with its connection. */
export class FrameReader {
  /** May be raised once it is known who sends. */
  frameBytesMax: number;
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(frameBytesMax: number) {
    this.frameBytesMax = frameBytesMax;
  }

  /** @throws FrameError on a frame that is too long or not a JSON object. */
  push(chunk: Buffer): readonly unknown[] {
    const frames: unknown[] = [];
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      this.#count(end - start);
      this.#chunks.push(chunk.subarray(start, end));
      frames.push(parseFrame(Buffer.concat(this.#chunks).toString("utf8")));
      this.#chunks = [];
      this.#bytes = 0;
      start = end + 1;
    }
    const rest = chunk.subarray(start);
    this.#count(rest.length);
    if (rest.length > 0) this.#chunks.push(rest);
    return frames;
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes <= this.frameBytesMax) return;
    throw new FrameError(
      `a frame is longer than ${this.frameBytesMax} bytes (limit linkFrameBytesMax, 1024 before hello)`,
    );
  }
}

export function formatFrame(frame: EdgeFrame | CoreFrame): string {
  return `${JSON.stringify(frame)}\n`;
}

function parseFrame(text: string): unknown {
  try {
    const frame: unknown = JSON.parse(text);
    if (typeof frame === "object" && frame !== null) return frame;
  } catch {
    // Said below, the same as for JSON that is not an object.
  }
  throw new FrameError("a frame is not a JSON object");
}
