// SPDX-License-Identifier: MIT
// The outer header of VXLAN: eight bytes, of which three are the number of the end. [RFC 7348 5]

export const vxlanHeaderBytes = 8;
/** IPv4, UDP, VXLAN and the inner Ethernet header come on top of a node's packet. */
export const vxlanOverheadBytes: number = 20 + 8 + vxlanHeaderBytes + 14;

const hasNumber = 0x08;

/** @returns the number of the end that sent it, or -1 when it is no such packet. */
export function readVni(packet: Uint8Array): number {
  // A frame without both addresses and a type is none.
  if (packet.length < vxlanHeaderBytes + 14 || ((packet[0] ?? 0) & hasNumber) === 0) return -1;
  return ((packet[4] ?? 0) << 16) | ((packet[5] ?? 0) << 8) | (packet[6] ?? 0);
}

export function writeVni(packet: Uint8Array, vni: number): void {
  packet[4] = vni >>> 16;
  packet[5] = vni >>> 8;
  packet[6] = vni;
}
