// SPDX-License-Identifier: MIT
// Packets between the ends of a probe: 20 bytes, and zeros behind them where they are to be larger.
//
//   0 "ML"  2 step u8  3 kind u8  4 session u32  8 number u32  12 stamp f64, microseconds; all
//   big endian

export const packetBytes = 20;
const magic = 0x4d4c;

export type PacketKind = "ping" | "pong" | "data" | "end";

export interface ProbePacket {
  readonly kind: PacketKind;
  readonly step: number;
  readonly session: number;
  readonly number: number;
  readonly stampUs: number;
}

const kinds: readonly PacketKind[] = ["ping", "pong", "data", "end"];

/** Writes into the first bytes. */
export function encodePacket(packet: ProbePacket, into: DataView): void {
  into.setUint16(0, magic);
  into.setUint8(2, packet.step);
  into.setUint8(3, kinds.indexOf(packet.kind));
  into.setUint32(4, packet.session);
  into.setUint32(8, packet.number);
  into.setFloat64(12, packet.stampUs);
}

/** @returns undefined for anything else. */
export function decodePacket(bytes: Uint8Array): ProbePacket | undefined {
  if (bytes.length < packetBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, packetBytes);
  const kind = kinds[view.getUint8(3)];
  if (view.getUint16(0) !== magic || kind === undefined) return undefined;
  const step = view.getUint8(2);
  const [session, number, stampUs] = [view.getUint32(4), view.getUint32(8), view.getFloat64(12)];
  return { kind, step, session, number, stampUs };
}
