// SPDX-License-Identifier: MIT
// Frames between a run and the agent of another machine, over any two byte streams:
//
//   u32 length of what follows | u8 kind | payload          (big-endian)
//     kind 0: a message, JSON in UTF-8
//     kind 1: u32 number of a stream | bytes of it
//
//   N1. The frames depend on the bytes alone, not on how they were cut into chunks.
//   N2. What is kept is one frame that is not whole, and grows with what has come, not with the
//       size it declares.
//   N3. After a frame that cannot be, nothing more is read.
import { decodeUtf8, encodeUtf8 } from "../bytes.ts";
import { nodeLinkLimits } from "./limits.ts";

/** What an agent says before its first frame: shells greet before they run a command. */
export const preamble = "\nmuster-node-link 1\n";

export type LinkFrame =
  | { readonly kind: "message"; readonly text: string }
  | { readonly kind: "data"; readonly stream: number; readonly bytes: Uint8Array };

const headerBytes = 5;
const messageKind = 0;
const dataKind = 1;

export function encodeMessage(text: string): Uint8Array {
  const payload = encodeUtf8(text);
  const frame = new Uint8Array(headerBytes + payload.length);
  writeHeader(frame, payload.length, messageKind);
  frame.set(payload, headerBytes);
  return frame;
}

/** @param bytes at most what a frame holds; who sends cuts. */
export function encodeData(stream: number, bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(headerBytes + 4 + bytes.length);
  writeHeader(frame, 4 + bytes.length, dataKind);
  new DataView(frame.buffer).setUint32(headerBytes, stream);
  frame.set(bytes, headerBytes + 4);
  return frame;
}

function writeHeader(frame: Uint8Array, payloadBytes: number, kind: number): void {
  new DataView(frame.buffer).setUint32(0, payloadBytes + 1);
  frame[4] = kind;
}

export interface FramesRead {
  readonly frames: readonly LinkFrame[];
  /** Why nothing more will be read, if so. */
  readonly fault?: string;
}

export class LinkFramer {
  readonly #frameBytesMax: number;
  #kept: Uint8Array = new Uint8Array(0);
  #keptBytes = 0;
  #fault: string | undefined;

  constructor(frameBytesMax: number = nodeLinkLimits.frameBytesMax) {
    this.#frameBytesMax = frameBytesMax;
  }

  push(chunk: Uint8Array): FramesRead {
    if (this.#fault !== undefined) return { frames: [], fault: this.#fault };
    const all = this.#joined(chunk);
    const frames: LinkFrame[] = [];
    let at = 0;
    while (all.length - at >= headerBytes) {
      const view = new DataView(all.buffer, all.byteOffset + at, all.length - at);
      const length = view.getUint32(0);
      if (length === 0 || length > this.#frameBytesMax) {
        return this.#stop(frames, `a frame of ${length} bytes (frameBytesMax)`);
      }
      if (all.length - at < 4 + length) break;
      const frame = decode(all.subarray(at + 4, at + 4 + length));
      if (typeof frame === "string") return this.#stop(frames, frame);
      frames.push(frame);
      at += 4 + length;
    }
    this.#keep(all, at);
    return { frames };
  }

  #stop(frames: readonly LinkFrame[], fault: string): FramesRead {
    this.#fault = fault;
    this.#kept = new Uint8Array(0);
    this.#keptBytes = 0;
    return { frames, fault };
  }

  /** What was kept with the chunk behind it; room is doubled, so that many chunks cost no more. */
  #joined(chunk: Uint8Array): Uint8Array {
    if (this.#keptBytes === 0) return chunk;
    const bytes = this.#keptBytes + chunk.length;
    if (bytes > this.#kept.length) {
      const larger = new Uint8Array(Math.max(bytes, 2 * this.#kept.length));
      larger.set(this.#kept.subarray(0, this.#keptBytes));
      this.#kept = larger;
    }
    this.#kept.set(chunk, this.#keptBytes);
    this.#keptBytes = bytes;
    return this.#kept.subarray(0, bytes);
  }

  /** A copy where frames were given out of what is kept: they are views of it. */
  #keep(all: Uint8Array, from: number): void {
    const rest = all.subarray(from);
    const isInPlace = from === 0 && all.buffer === this.#kept.buffer && this.#keptBytes > 0;
    if (!isInPlace) this.#kept = rest.slice();
    this.#keptBytes = rest.length;
  }
}

function decode(frame: Uint8Array): LinkFrame | string {
  const payload = frame.subarray(1);
  switch (frame[0]) {
    case messageKind: {
      const text = decodeUtf8(payload);
      return text === undefined ? "a message that is not UTF-8" : { kind: "message", text };
    }
    case dataKind: {
      if (payload.length < 4) return "a frame of data without a stream";
      const stream = new DataView(payload.buffer, payload.byteOffset).getUint32(0);
      return { kind: "data", stream, bytes: payload.subarray(4) };
    }
    default:
      return `a frame of the unknown kind ${frame[0]}`;
  }
}
