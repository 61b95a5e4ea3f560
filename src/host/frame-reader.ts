// SPDX-License-Identifier: MIT
// Cuts a stream of bytes into frames: one JSON object a line, UTF-8. What the frames of a link say
// is in wire/link/frames.ts.
import { FrameError, parseFrame } from "../wire/link/frames.ts";

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
