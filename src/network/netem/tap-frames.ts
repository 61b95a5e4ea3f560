// SPDX-License-Identifier: MIT
// What the program of packet-tap.ts says: frames of five words of this machine and, of a packet,
// the bytes that were kept of it. Pure.
//
//   way (0 sent, 1 received)  second  microsecond  bytes that follow  bytes it had
//   2 for a mark              0       0            0                  packets not taken
import { endianness } from "node:os";
import type { TraceWay } from "../link-tracer.ts";

export type TapFrame =
  | {
      readonly kind: "packet";
      readonly way: TraceWay;
      /** Since 1970. */
      readonly wallUs: number;
      readonly packet: Uint8Array;
      /** Of which `packet` is the beginning. */
      readonly bytes: number;
    }
  | { readonly kind: "mark"; readonly drops: number };

const headerBytes = 20;
const isLittle = endianness() === "LE";

/** @returns the whole frames, and what is there of the next one */
export function readTapFrames(bytes: Uint8Array): {
  readonly frames: readonly TapFrame[];
  readonly rest: Uint8Array;
} {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const frames: TapFrame[] = [];
  let at = 0;
  while (at + headerBytes <= bytes.length) {
    const word = (index: number): number => view.getUint32(at + 4 * index, isLittle);
    const [way, kept, had] = [word(0), word(3), word(4)];
    const end = at + headerBytes + kept;
    if (end > bytes.length) break;
    if (way === 2) frames.push({ kind: "mark", drops: had });
    else {
      frames.push({
        kind: "packet",
        way: way === 0 ? "sent" : "received",
        wallUs: word(1) * 1_000_000 + word(2),
        packet: bytes.subarray(at + headerBytes, end),
        bytes: had,
      });
    }
    at = end;
  }
  return { frames, rest: bytes.subarray(at) };
}
